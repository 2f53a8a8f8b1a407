# mypy: allow-untyped-defs, allow-untyped-calls
import json
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptpo.sim.environments import registry
from promptpo.sim.environments.noiseworld.board import BOARD_NUMBERS, FIRST_KEY, SECOND_KEY, board
from promptpo.sim.environments.noiseworld.environment import NoiseWorld
from promptpo.sim.environments.noiseworld.optimal import optimum, regret
from promptpo.sim.environments.texts import texts

WALKS = json.loads(files(__package__).joinpath("testdata/walks.json").read_text("utf-8"))["walks"]
KEY_BOARDS = (4, 5, 6)


def walk(env, seed, actions):
    """(return, length, last step) of an episode that takes `actions` until they or the episode end."""
    env.reset(seed)
    total, length, step = 0.0, 0, None
    for action in actions:
        step = env.step(action)
        total, length = total + step.reward, length + 1
        if step.terminated or step.truncated:
            break
    return total, length, step


@pytest.mark.parametrize("case", WALKS, ids=lambda case: f"{case['environment']}-{case['seed']}")
def test_a_recorded_walk_comes_out_exactly(case):
    env = registry.make(case["environment"])
    total, length, step = walk(env, case["seed"], [int(action) for action in case["actions"]])
    last = board(int(case["environment"][-1])).n - 1
    assert total == case["return"]
    assert length == case["length"] == len(case["actions"])
    assert [round(float(step.observation[i]) * last) for i in (0, 1)] == case["last_cell"]
    assert (step.terminated, step.truncated) == (case["terminated"], case["truncated"])


def test_there_are_56_walks():
    assert len(WALKS) == 56


@pytest.mark.parametrize("number", KEY_BOARDS)
def test_variants_differ_in_names_only(number):
    bare, told = (registry.make(f"NoiseWorld-{number}", v) for v in ("no_key_info", "key_info"))
    assert registry.spec(f"NoiseWorld-{number}").variant == "no_key_info"
    assert [f.name for f in bare.spec.observation][-2:] == ["extra_0", "extra_1"]
    assert [f.name for f in told.spec.observation][-2:] == ["has_first_key", "has_second_key"]
    actions = np.random.default_rng(number).integers(0, 4, 100)
    assert walk(bare, 7, actions)[:2] == walk(told, 7, actions)[:2]


@settings(max_examples=60, deadline=None)
@given(number=st.sampled_from(BOARD_NUMBERS), seed=st.integers(0, 2**31), actions=st.lists(st.integers(0, 3)))
def test_an_episode_does_not_see_what_came_before(number, seed, actions):
    fresh, used = registry.make(f"NoiseWorld-{number}"), registry.make(f"NoiseWorld-{number}")
    walk(used, seed + 1, [1, 3, 1, 3, 1])
    first, second = walk(fresh, seed, actions), walk(used, seed, actions)
    assert first[:2] == second[:2]
    if first[2] is not None:
        assert all(map(np.array_equal, first[2].observation, second[2].observation))


class CountingGenerator:
    def __init__(self, seed):
        self.inner, self.draws = np.random.default_rng(seed), 0

    def random(self):
        self.draws += 1
        return self.inner.random()


def test_a_blocked_move_draws_nothing_and_a_stochastic_one_draws_once():
    env = NoiseWorld(registry.spec("NoiseWorld-1"))
    env.reset(0)
    counting = CountingGenerator(0)
    env._rng = counting  # type: ignore[assignment]
    env.step(0)  # over the upper edge
    assert counting.draws == 0
    env.step(3)  # the start lies in a stochastic region
    assert counting.draws == 1


@pytest.mark.parametrize("number", KEY_BOARDS)
def test_keys_count_in_order_only_and_the_goal_ends_the_episode_without_them(number):
    of = board(number)
    env = NoiseWorld(registry.spec(f"NoiseWorld-{number}"))
    cells = {of.cells[r][c]: (r, c) for r in range(of.n) for c in range(of.n)}
    env.reset(0)
    env._arrive(cells[SECOND_KEY])
    assert env._keys == 0
    assert env._arrive(of.goal) == (-1.0, True, False)
    env._arrive(cells[FIRST_KEY])
    env._arrive(cells[SECOND_KEY])
    assert env._keys == 2
    assert env._arrive(of.goal) == (999.0, True, True)


def test_a_step_needs_a_running_episode_and_a_known_action():
    env = registry.make("NoiseWorld-0")
    with pytest.raises(RuntimeError, match="reset"):
        env.step(0)
    env.reset(0)
    with pytest.raises(ValueError, match="0, 1, 2 or 3, got 4"):
        env.step(4)
    walk(env, 0, [1] * 25)
    with pytest.raises(RuntimeError, match="reset"):
        env.step(0)


def play(number, seed):
    """Return of the optimal policy in one simulated episode."""
    of, best = board(number), optimum(number)
    env = NoiseWorld(registry.spec(f"NoiseWorld-{number}"))
    env.reset(seed)
    total = 0.0
    for left in range(of.horizon, 0, -1):
        step = env.step(int(best.actions[left][(env._keys, *env._agent)]))
        total += step.reward
        if step.terminated or step.truncated:
            break
    return total


@pytest.mark.parametrize("number", BOARD_NUMBERS)
def test_the_optimal_value_is_what_the_optimal_policy_earns(number):
    returns = np.array([play(number, seed) for seed in range(400)])
    standard_error = returns.std(ddof=1) / np.sqrt(returns.size)
    assert abs(returns.mean() - optimum(number).value) < 4.5 * standard_error + 1e-9


@pytest.mark.parametrize("number", BOARD_NUMBERS)
def test_the_optimal_value_is_within_what_can_be_earned_at_all(number):
    of = board(number)
    assert -of.horizon < optimum(number).value <= of.n**3 - 2 * (of.n - 1)
    assert regret(number, -of.horizon) > 0
    assert 0 < optimum(number).success_probability <= 1


def test_with_one_step_left_beside_the_goal_the_optimum_enters_it():
    # On board 0 the lower row never fails.
    assert optimum(0).actions[1][0, 4, 3] == 3


@pytest.mark.parametrize(
    "spec", [s for s in (registry.spec(i) for i in registry.ids()) if s.family == "noiseworld"]
)
def test_texts_list_the_codes_of_the_board_and_explain_none(spec):
    of = board(int(spec.id[-1]))
    for variant in spec.variants:
        told = texts(spec.id, variant)
        everything = "\n".join((told.observation, told.implementation, *told.rewards.values())).lower()
        assert f"codes that occur on this board are: {', '.join(map(str, of.codes))}." in everything
        for word in (
            "wall",
            "trap",
            "deterministic",
            "stochastic",
            "region",
            "reset",
            "probab",
            "slip",
            "sticky",
        ):
            assert word not in everything, word
        if variant != "key_info":
            assert "key" not in everything
        assert str(of.n**5) not in everything


def test_a_picture_shows_the_agent_and_is_the_same_for_the_same_state():
    env = registry.make("NoiseWorld-4")
    env.reset(0)
    first = env.render()
    assert first.shape == (480, 480, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, env.render())
    env.step(1)
    assert not np.array_equal(first, env.render())
