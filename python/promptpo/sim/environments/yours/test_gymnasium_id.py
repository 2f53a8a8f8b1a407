# mypy: allow-untyped-defs, allow-untyped-calls
"""Environments by gymnasium's own ids: the bare loop's episodes, and clear words for what is not offered."""

from importlib.util import find_spec

import gymnasium
import numpy as np
import pytest

from promptpo.sim.environments import registry
from promptpo.sim.environments.naming import policy_class
from promptpo.sim.environments.texts import texts
from promptpo.sim.environments.yours.known import class_name
from promptpo.sim.environments.yours.testing import episode, some_actions
from promptpo.sim.rendering import RenderingUnavailable


@pytest.fixture
def cart_pole():
    env = registry.make("gym:CartPole-v1")
    yield env
    env.close()


def bare(name, seed, actions):
    env = gymnasium.make(name)
    vector, _ = env.reset(seed=seed)
    seen = [np.asarray(vector, np.float64).tobytes()]
    for action in actions:
        vector, reward, terminated, truncated, _ = env.step(action)
        seen.append(np.asarray(vector, np.float64).tobytes())
        seen.append(np.float64(reward).tobytes())
        seen.append(bytes((terminated, truncated, False)))
        if terminated or truncated:
            break
    env.close()
    return seen


@pytest.mark.parametrize("name", ["CartPole-v1", "Pendulum-v1", "MountainCarContinuous-v0"])
def test_an_episode_is_that_of_a_bare_loop_whatever_came_before(name):
    env = registry.make(f"gym:{name}")
    actions = some_actions(env.spec.action, env.spec.horizon)
    for seed in (3, 0, 4, 3):
        assert episode(env, seed, actions) == bare(name, seed, actions)
    assert episode(env, 5, actions[:7]) != episode(env, 6, actions[:7])
    env.close()


def test_a_mujoco_task_is_the_same_under_both_of_its_names():
    ours, theirs = registry.make("Hopper-v5"), registry.make("gym:Hopper-v5")
    actions = some_actions(theirs.spec.action, 30)
    for seed in (0, 1):
        left: list[object] = [ours.reset(seed)[0].tobytes()]
        right: list[object] = [theirs.reset(seed)[0].tobytes()]
        for action in actions:
            steps = (ours.step(action), theirs.step(action))
            left += [steps[0].observation[0].tobytes(), steps[0].reward]
            right += [steps[1].observation[0].tobytes(), steps[1].reward]
            if steps[0].terminated:
                break
        assert left == right
    ours.close()
    theirs.close()


def test_a_spec_is_what_spaces_and_registration_say(cart_pole):
    spec = cart_pole.spec
    assert [(f.name, f.dtype, f.shape) for f in spec.observation] == [("obs_vector", "float64", (4,))]
    assert (spec.action.kind, spec.action.n, spec.horizon, spec.dt) == ("discrete", 2, 500, 0.02)
    assert (spec.policy_class, spec.selection, spec.reward_kinds) == (
        "CartPolePolicy",
        "mean_return",
        ("vague",),
    )
    assert spec.revision == f"gymnasium=={gymnasium.__version__}"
    pendulum = registry.spec("gym:Pendulum-v1")
    assert (pendulum.action.dtype, pendulum.action.low, pendulum.action.high) == ("float32", (-2.0,), (2.0,))
    (state,) = registry.spec("gym:FrozenLake-v1").observation
    assert (state.dtype, state.shape) == ("int64", ())
    maze = registry.spec("gym:gymnasium_robotics:PointMaze_UMaze-v3")
    assert [field.name for field in maze.observation] == ["achieved_goal", "desired_goal", "observation"]
    assert (maze.selection, maze.revision.split("==")[0]) == ("mean_success", "gymnasium-robotics")


def test_texts_hold_the_bounds_and_the_environments_own_words():
    told = texts("gym:CartPole-v1")
    assert "| `obs.obs_vector` | float64 | (4,) |" in told.observation
    assert "| 0 | -4.8 | 4.8 |" in told.observation
    assert "| 1 | -infinity | infinity |" in told.observation
    assert "Pole Angular Velocity" in told.observation
    assert "one integer from 0 to 1" in told.implementation
    assert "at most 500 steps" in told.implementation
    assert "475 counts as solved" in told.implementation
    assert "Push cart to the left" in told.implementation
    assert "keep the pole upright" in told.rewards["vague"]
    everything = "\n".join((told.observation, told.implementation, told.rewards["vague"]))
    for useless in ("gymnasium.make", "Version History", "make_vec", "promptpo"):
        assert useless not in everything
    assert all(
        text.endswith("\n") and not text.endswith("\n\n") for text in (told.observation, told.implementation)
    )


def test_an_episode_ends_at_the_time_limit_and_needs_a_reset_then():
    env = registry.make("gym:MountainCar-v0")
    with pytest.raises(RuntimeError, match="reset"):
        env.step(1)
    env.reset(0)
    ends = [env.step(1) for _ in range(200)]
    assert [step.truncated for step in ends] == [False] * 199 + [True]
    with pytest.raises(RuntimeError, match="reset"):
        env.step(1)
    env.reset(0)
    with pytest.raises(ValueError, match="0 to 2"):
        env.step(3)
    env.close()
    env.close()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gym:Blackjack-v1", r"the observation space is Tuple\(Discrete\(32\).*offered are Box, Discrete"),
        ("gym:CliffWalking-v1", r"no limit of steps.*set horizon in an environment.toml"),
        ("gym:os:Thing-v0", "standard library"),
        ("gym:no_such_module:Thing-v0", "the module no_such_module cannot be imported"),
        ("gym:LunarLander-v3", "cannot be made: DependencyNotInstalled"),
    ],
)
def test_what_is_not_offered_says_why(name, words):
    with pytest.raises(registry.BrokenEnvironment, match=words):
        registry.spec(name)


def test_an_id_that_gymnasium_does_not_know_names_what_looks_like_it():
    with pytest.raises(registry.UnknownEnvironment) as caught:
        registry.spec("gym:CartPol-v1")
    assert caught.value.nearest[0] == "gym:CartPole-v1"
    with pytest.raises(registry.UnknownVariant, match="it has: default"):
        registry.spec("gym:CartPole-v1", "hard")


def test_an_installed_environment_is_found_and_not_listed():
    registry.spec("gym:CartPole-v1")
    assert not [name for name in registry.ids() if name.startswith("gym:")]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gym:CartPole-v1", "CartPolePolicy"),
        ("gym:my.module:Deep-Sea_treasure-v12", "DeepSeaTreasurePolicy"),
        ("gym:ALE/Pong-v5", "PongPolicy"),
        ("gym:a:ns/Odd.name-v0", "OddNamePolicy"),
    ],
)
def test_a_policy_class_has_no_prefix_module_or_namespace(name, expected):
    assert class_name(name) == expected
    assert expected.isidentifier()
    assert class_name("Hopper-v5") == policy_class("Hopper-v5")


STRANGE = """
import gymnasium
import numpy as np
from gymnasium import spaces


class Strange(gymnasium.Env):
    observation_space = spaces.Dict({
        "place": spaces.Discrete(5, start=2),
        "many": spaces.MultiDiscrete([3, 4]),
        "bits": spaces.MultiBinary(2),
        "image": spaces.Box(0, 255, (2, 3), np.uint8),
    })
    action_space = spaces.Discrete(3, start=-1)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        # An environment that draws from everywhere but its own generator.
        return self.seen(), {}

    def seen(self):
        return {**self.observation_space.sample(), "place": 2 + np.random.randint(5)}

    def step(self, action):
        return self.seen(), action, False, False, {"is_success": np.bool_(action == 1)}


gymnasium.register("Strange-v0", entry_point=Strange, max_episode_steps=5)
gymnasium.register("Bad-v0", entry_point=lambda: [].pop(), max_episode_steps=5)
"""


def test_a_module_of_ones_own_is_imported_first_and_its_spaces_become_fields(tmp_path, monkeypatch):
    (tmp_path / "strange_environments.py").write_text(STRANGE)
    monkeypatch.syspath_prepend(tmp_path)
    env = registry.make("gym:strange_environments:Strange-v0")
    fields = {field.name: (field.dtype, field.shape) for field in env.spec.observation}
    assert fields == {
        "bits": ("int64", (2,)),
        "image": ("int64", (2, 3)),
        "many": ("int64", (2,)),
        "place": ("int64", ()),
    }
    assert env.spec.selection == "mean_success"
    assert env.spec.revision.startswith("strange_environments sha256:")
    told = texts(env.spec.id)
    assert "between 2 and 6" in told.observation
    assert "counts from -1: the integer c is its action c + -1" in told.implementation
    assert "does not tell how its reward comes about" in told.rewards["vague"]
    # Codes are counted from 0 here; draws from the global generator and from the spaces follow the seed too.
    first = episode(env, 7, [0, 1, 2, 0, 1])
    assert episode(env, 8, [0, 1, 2, 0, 1]) != first
    assert episode(env, 7, [0, 1, 2, 0, 1]) == first
    env.reset(7)
    assert [(step.reward, step.success) for step in map(env.step, (0, 2))] == [(-1.0, False), (1.0, True)]
    env.close()
    with pytest.raises(registry.BrokenEnvironment, match="cannot be made: IndexError"):
        registry.spec("gym:strange_environments:Bad-v0")


def test_an_environment_whose_drawing_library_is_missing_says_which(cart_pole):
    cart_pole.reset(0)
    if find_spec("pygame") is None:
        with pytest.raises(RenderingUnavailable, match="pygame"):
            cart_pole.render()
    else:
        assert cart_pole.render().shape == (400, 600, 3)
