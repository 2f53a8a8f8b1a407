"""The stable-baselines3 adapter; where that is installed (not in this project's own environment)."""

from collections.abc import Iterator

import gymnasium
import numpy as np
import pytest

from promptpo.client import FleetError
from promptpo.client.small_sessions import SmallSessions

vec_env = pytest.importorskip("stable_baselines3.common.vec_env")


@pytest.fixture
def sessions() -> Iterator[SmallSessions]:
    with SmallSessions(shard_count=2) as sessions:
        yield sessions


def test_equals_stable_baselines3s_own(sessions: SmallSessions) -> None:
    from promptpo.client.sb3 import FleetVecEnv

    ours = FleetVecEnv("gym:CartPole-v1", 3, rollout=sessions.address)
    theirs = vec_env.DummyVecEnv([lambda: gymnasium.make("CartPole-v1")] * 3)
    ours.seed(4)
    theirs.seed(4)
    assert np.array_equal(ours.reset(), theirs.reset())
    actions = np.random.default_rng(0)
    for _ in range(100):
        action = actions.integers(0, 2, 3)
        mine, reference = ours.step(action), theirs.step(action)
        for one, other in zip(mine[:3], reference[:3], strict=True):
            assert one.dtype == other.dtype
            assert np.array_equal(one, other)
        for one, other in zip(mine[3], reference[3], strict=True):
            assert one.keys() == other.keys()
            assert one["TimeLimit.truncated"] == other["TimeLimit.truncated"]
            assert np.array_equal(one.get("terminal_observation"), other.get("terminal_observation"))
    assert ours.env_is_wrapped(gymnasium.Wrapper) == [False] * 3
    with pytest.raises(FleetError, match="cannot be set"):
        ours.set_attr("gravity", 1)
    ours.close()
