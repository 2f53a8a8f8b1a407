# mypy: allow-untyped-defs, allow-untyped-calls
"""What every environment of every family has to keep; a new one is covered by being listed."""

import numpy as np
import pytest

from promptpo.sim.environments import registry

ALL = [(env_id, variant) for env_id in registry.ids() for variant in registry.spec(env_id).variants]
STEPS = 12


@pytest.fixture(params=ALL, ids=lambda case: f"{case[0]}[{case[1]}]")
def env(request):
    made = registry.make(*request.param)
    yield made
    made.close()


def actions(spec, seed, count=STEPS):
    """Some actions outside the bounds, too: they are passed on."""
    rng = np.random.default_rng(seed)
    if spec.action.kind == "discrete":
        return [int(code) for code in rng.integers(0, spec.action.n, count)]
    return list(rng.uniform(-1.3, 1.3, (count, *spec.action.shape)))


def episode(env, seed, acts):
    """The bytes of everything that an episode shows, until it ends or `acts` do."""
    seen = [*(field.tobytes() for field in env.reset(seed))]
    for act in acts:
        step = env.step(act)
        seen += [field.tobytes() for field in step.observation]
        seen.append(np.float64(step.reward).tobytes())
        seen.append(bytes((step.terminated, step.truncated, step.success)))
        if step.terminated or step.truncated:
            break
    return seen


def in_turns(episodes):
    """Steps several (environment, seed, actions) in turns; the bytes of each, as `episode` gives them."""
    seen = [[*(field.tobytes() for field in env.reset(seed))] for env, seed, _ in episodes]
    running = set(range(len(episodes)))
    for number in range(STEPS):
        for index in sorted(running):
            step = episodes[index][0].step(episodes[index][2][number])
            seen[index] += [field.tobytes() for field in step.observation]
            seen[index].append(np.float64(step.reward).tobytes())
            seen[index].append(bytes((step.terminated, step.truncated, step.success)))
            if step.terminated or step.truncated:
                running.discard(index)
    return seen


def test_keeps_what_its_spec_says_and_what_came_before_is_not_seen(env):
    # One test and not several: making and resetting is what takes the time.
    spec = env.spec
    first = env.reset(0)
    acts = actions(spec, 1)
    for observation in (first, env.step(acts[0]).observation):
        assert len(observation) == len(spec.observation)
        for field, value in zip(spec.observation, observation, strict=True):
            assert isinstance(value, np.ndarray), field.name
            assert (value.dtype, value.shape) == (np.dtype(field.dtype), field.shape), field.name
            assert value.flags.c_contiguous, field.name

    kept = [value.copy() for value in first]
    seed_4 = episode(env, 4, acts)
    seed_3 = episode(env, 3, acts)
    assert all(map(np.array_equal, kept, first)), "the simulator writes into an observation that it gave away"

    fresh = registry.make(spec.id, spec.variant)
    try:
        assert episode(fresh, 3, acts) == seed_3, "the episode depends on what the object has done before"
        if spec.family != "noiseworld":
            assert seed_4 != seed_3
        if spec.lanes > 1:
            assert in_turns([(env, 4, acts), (fresh, 3, acts)]) == [seed_4, seed_3], "neighbours are seen"
    finally:
        fresh.close()
        fresh.close()


def test_an_episode_is_truncated_at_the_horizon_and_then_over():
    for env_id in ("Reacher-v5", "NoiseWorld-2", "reach-v3"):
        env = registry.make(env_id)
        still = 0 if env.spec.action.kind == "discrete" else np.zeros(env.spec.action.shape)
        with pytest.raises(RuntimeError, match="reset"):
            env.step(still)
        env.reset(0)
        ends = [env.step(still) for _ in range(env.spec.horizon)]
        assert [step.truncated for step in ends] == [False] * (env.spec.horizon - 1) + [True]
        assert not any(step.terminated for step in ends)
        with pytest.raises(RuntimeError, match="reset"):
            env.step(still)
        env.close()
