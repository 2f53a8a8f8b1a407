# mypy: allow-untyped-defs, allow-untyped-calls
from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
import pytest

from promptpo.sim.environments import registry
from promptpo.sim.environments.mujoco.catalogue import TASKS
from promptpo.sim.environments.texts import texts

IDS = [task.id for task in TASKS]


def bare_loop(env, seed, actions):
    """What a plain gymnasium loop sees: observations, rewards, flags, bit for bit."""
    vector, _ = env.reset(seed=seed)
    seen = [vector.tobytes()]
    for action in actions:
        vector, reward, terminated, truncated, _ = env.step(action)
        seen.append((vector.tobytes(), float(reward), bool(terminated), bool(truncated)))
        if terminated or truncated:
            break
    return seen


def our_loop(env, seed, actions):
    seen = [env.reset(seed)[0].tobytes()]
    for action in actions:
        step = env.step(action)
        seen.append((step.observation[0].tobytes(), step.reward, step.terminated, step.truncated))
        if step.terminated or step.truncated:
            break
    return seen


def some_actions(env_id, seed, dtype, count):
    """Uniform random ones, some of them beyond the bounds."""
    space = registry.spec(env_id).action
    drawn = np.random.default_rng(seed).uniform(-1.2, 1.2, (count, *space.shape)) * space.high
    return list(drawn.astype(dtype))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("env_id", IDS)
def test_episodes_are_bitwise_those_of_a_bare_loop_in_the_actions_own_dtype(env_id, dtype):
    ours = registry.make(env_id)
    for seed in (0, 1, 51):
        actions = some_actions(env_id, seed, dtype, 120)
        bare = gymnasium.make(env_id)
        assert our_loop(ours, seed, actions) == bare_loop(bare, seed, actions)
        bare.close()
    ours.close()


def test_a_whole_episode_of_a_thousand_steps_is_bitwise_that_of_a_bare_loop():
    actions = some_actions("HalfCheetah-v5", 7, "float64", 1100)
    ours, bare = registry.make("HalfCheetah-v5"), gymnasium.make("HalfCheetah-v5")
    seen = our_loop(ours, 3, actions)
    assert seen == bare_loop(bare, 3, actions)
    assert len(seen) == 1001
    assert seen[-1][2:] == (False, True)
    bare.close()
    ours.close()


def test_the_dtype_of_an_action_is_part_of_the_result():
    env = registry.make("HalfCheetah-v5")
    wide = some_actions("HalfCheetah-v5", 0, "float32", 40)
    narrow = [action.astype("float64") for action in wide]
    returns = [sum(entry[1] for entry in our_loop(env, 0, actions)[1:]) for actions in (wide, narrow)]
    assert returns[0] != returns[1]
    assert returns[0] == pytest.approx(returns[1], rel=1e-5)
    env.close()


@pytest.mark.parametrize("env_id", IDS)
def test_the_catalogue_says_what_the_simulator_is(env_id):
    spec, live = registry.spec(env_id), gymnasium.make(env_id)
    bare = live.unwrapped
    assert live.spec.max_episode_steps == spec.horizon
    assert bare.dt == spec.dt
    assert live.action_space.shape == spec.action.shape
    assert str(live.action_space.dtype) == spec.action.dtype
    assert tuple(live.action_space.low) == spec.action.low
    assert tuple(live.action_space.high) == spec.action.high
    live.close()


def named(spec, observation):
    return SimpleNamespace(
        **{field.name: value for field, value in zip(spec.observation, observation, strict=True)}
    )


def transitions(env, seed, actions):
    """(observation, action, step) of an episode."""
    before = env.reset(seed)
    for action in actions:
        step = env.step(action)
        yield named(env.spec, before), action, step
        before = step.observation
        if step.terminated or step.truncated:
            return


@pytest.mark.parametrize("env_id", IDS)
def test_the_reward_source_gives_the_simulators_own_reward(env_id):
    scope: dict[str, Any] = {}
    exec(compile(texts(env_id).rewards["source"], "reward.py", "exec"), scope)
    env = registry.make(env_id)
    count = 0
    for seed in range(24):
        dtype = ("float64", "float32")[seed % 2]
        for before, action, step in transitions(env, seed, some_actions(env_id, seed, dtype, 60)):
            told = scope["reward"](before, action, named(env.spec, step.observation))
            assert told == pytest.approx(step.reward, abs=1e-9)
            count += 1
    assert count > 100
    env.close()


@pytest.mark.parametrize("env_id", IDS)
def test_fields_agree_with_the_simulators_vector_as_the_texts_say(env_id):
    env = registry.make(env_id)
    for _, action, step in transitions(env, 2, some_actions(env_id, 5, "float64", 60)):
        obs = named(env.spec, step.observation)
        match env_id:
            case "HalfCheetah-v5":
                expected = np.concatenate((obs.qpos[1:], obs.qvel))
                assert obs.main_body_xy.tolist() == [obs.qpos[0], 0.0]
            case "Ant-v5":
                expected = np.concatenate((obs.qpos[2:], obs.qvel, np.clip(obs.cfrc_ext, -1, 1).ravel()))
                assert 0 < np.abs(obs.main_body_xy - obs.qpos[:2]).max() < 0.01
            case "Humanoid-v5":
                parts = (obs.cinert.ravel(), obs.cvel.ravel(), obs.qfrc_actuator, obs.cfrc_ext.ravel())
                expected = np.concatenate((obs.qpos[2:], obs.qvel, *parts))
                assert obs.torso_xy.tolist() == obs.qpos[:2].tolist()
                assert obs.ctrl.tolist() == action.tolist()
            case "InvertedDoublePendulum-v5":
                poles, (x, y, z) = obs.qpos[1:], obs.tip_site_pos
                speeds = np.clip(obs.qvel, -10, 10)
                expected = np.concatenate((obs.qpos[:1], np.sin(poles), np.cos(poles), speeds, (0,)))
                lean = np.cumsum(poles)
                assert abs(x - obs.qpos[0] - 0.6 * np.sin(lean).sum()) < 0.001
                assert y == 0
                assert abs(z - 0.6 * np.cos(lean).sum()) < 0.001
            case "Hopper-v5":
                expected = np.concatenate((obs.qpos[1:], np.clip(obs.qvel, -10, 10)))
                assert obs.root_x_position == obs.qpos[0]
            case "Swimmer-v5":
                expected = np.concatenate((obs.qpos[2:], obs.qvel))
                assert obs.tip_xy.tolist() == obs.qpos[:2].tolist()
            case "Reacher-v5":
                angles = obs.qpos[:2]
                rest = (obs.qpos[2:], obs.qvel[:2], obs.fingertip_minus_target[:2])
                expected = np.concatenate((np.cos(angles), np.sin(angles), *rest))
                assert np.array_equal(obs.fingertip_minus_target, obs.fingertip - obs.target)
                reach = [0.1 * f(angles[0]) + 0.11 * f(angles.sum()) for f in (np.cos, np.sin)]
                assert np.abs(obs.fingertip[:2] - reach).max() < 0.005
                assert obs.fingertip[2] == obs.target[2] == 0.01
                assert np.all(obs.qvel[2:] == 0)
        assert np.array_equal(obs.obs_vector, expected)
    env.close()


@pytest.mark.parametrize("env_id", ["Ant-v5", "Hopper-v5", "Humanoid-v5", "InvertedDoublePendulum-v5"])
def test_an_episode_ends_at_the_first_unhealthy_step(env_id):
    scope: dict[str, Any] = {}
    exec(compile(texts(env_id).rewards["source"], "reward.py", "exec"), scope)
    env = registry.make(env_id)
    ends = []
    for seed in range(5):
        acts = some_actions(env_id, seed, "float64", 1000)
        steps = [step for _, _, step in transitions(env, seed, acts)]
        assert [not scope["is_healthy"](named(env.spec, s.observation)) for s in steps] == [
            s.terminated for s in steps
        ]
        ends.append(steps[-1].terminated)
    # An ant may also stumble through a whole episode.
    assert any(ends) if env_id == "Ant-v5" else all(ends)
    env.close()


def test_starts_are_within_what_the_texts_say():
    for env_id, limit in (("HalfCheetah-v5", 0.1), ("Hopper-v5", 0.005), ("Swimmer-v5", 0.1)):
        env = registry.make(env_id)
        starts = np.array([env.reset(seed)[1] for seed in range(60)])
        rest = np.array([0, 1.25, 0, 0, 0, 0]) if env_id == "Hopper-v5" else 0.0
        assert 0.9 * limit < np.abs(starts - rest).max() <= limit
        env.close()
    env = registry.make("Reacher-v5")
    placed = [env.reset(seed) for seed in range(60)]
    assert max(np.abs(start[1][:2]).max() for start in placed) <= 0.1
    assert max(np.abs(start[2]).max() for start in placed) <= 0.005
    distances = [np.linalg.norm(start[1][2:]) for start in placed]
    assert 0.15 < max(distances) < 0.2
    env.close()


READS_EVERYTHING = """
import numpy as np

class {name}:
    def act(self, obs):
        seen = np.concatenate([np.ravel(getattr(obs, name)) for name in {fields}])
        return np.float32({limit} * np.sin(np.arange({size}) + np.tanh(seen).sum()))
"""


@pytest.mark.parametrize("env_id", IDS)
def test_a_jailed_policy_reads_the_fields_as_the_environment_gives_them(sidecar, env_id):
    env = registry.make(env_id)
    spec = env.spec
    source = READS_EVERYTHING.format(
        name=spec.policy_class,
        fields=[field.name for field in spec.observation],
        size=spec.action.shape[0],
        limit=spec.action.high[0],
    )
    scope: dict[str, Any] = {}
    exec(source, scope)
    policy = scope[spec.policy_class]()
    for episode in sidecar.episodes(env_id, source, [0, 1]):
        assert not episode.HasField("error"), episode.error
        # Cut to the bounds in float32 is within them.
        assert episode.out_of_bounds_count == 0
        total, length, observation = 0.0, 0, env.reset(episode.seed)
        while True:
            step = env.step(policy.act(named(spec, observation)))
            observation, total, length = step.observation, total + step.reward, length + 1
            if step.terminated or step.truncated:
                break
        assert (episode.return_value, episode.length) == (total, length)
    env.close()
