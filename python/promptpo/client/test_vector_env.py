"""The vector environment over connections that break, and what it refuses. The shards are small_sessions'."""

import gc
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import AlreadyPendingCallError, ClosedEnvironmentError, NoAsyncCallError
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from hypothesis import given, settings
from hypothesis import strategies as st

from promptpo.client import FleetError, FleetVectorEnv, make, make_vec
from promptpo.client.small_sessions import SmallSessions

CARTPOLE = "gym:CartPole-v1"


@pytest.fixture(params=["unix", "grpc"])
def small(request: pytest.FixtureRequest) -> Iterator[SmallSessions]:
    with SmallSessions(unix=request.param == "unix") as sessions:
        yield sessions


@pytest.fixture
def two_shards() -> Iterator[SmallSessions]:
    with SmallSessions(shard_count=2) as sessions:
        yield sessions


def local(count: int, mode: AutoresetMode) -> SyncVectorEnv:
    return SyncVectorEnv([lambda: gymnasium.make("CartPole-v1")] * count, autoreset_mode=mode)


def same(ours: Any, theirs: Any) -> bool:
    """Equal to the last bit, infos included."""
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(same(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, tuple | list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if ours is None or theirs is None:
        return ours is theirs
    if ours.dtype == object:
        return theirs.dtype == object and same(list(ours), list(theirs))
    equal: bool = ours.dtype == theirs.dtype and ours.shape == theirs.shape
    return equal and ours.tobytes() == theirs.tobytes()


def follow(ours: FleetVectorEnv, theirs: SyncVectorEnv, steps: int) -> None:
    """Steps both in the same way and compares all that comes back."""
    actions = np.random.default_rng(0)
    assert same(ours.reset(seed=3), theirs.reset(seed=3))
    for _ in range(steps):
        action = actions.integers(0, 2, ours.num_envs)
        mine, reference = ours.step(action), theirs.step(action)
        assert same(mine, reference)
        ended = mine[2] | mine[3]
        if ours.autoreset_mode is AutoresetMode.DISABLED and ended.any():
            assert same(
                ours.reset(options={"reset_mask": ended.copy()}),
                theirs.reset(options={"reset_mask": ended.copy()}),
            )


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_equals_gymnasiums_in_every_mode(small: SmallSessions, mode: AutoresetMode) -> None:
    ours = make_vec(CARTPOLE, 3, rollout=small.address, autoreset_mode=mode)
    assert ours.metadata["autoreset_mode"] is mode
    follow(ours, local(3, mode), 200)
    ours.close()


def test_several_shards_are_one_batch(two_shards: SmallSessions) -> None:
    ours = make_vec(CARTPOLE, 5, rollout=two_shards.address, autoreset_mode="SameStep")
    assert [shard.environment_count for shard in ours._session.shards] == [3, 2]
    follow(ours, local(5, AutoresetMode.SAME_STEP), 100)
    ours.close()


@settings(max_examples=15, deadline=None)
@given(
    st.booleans(),
    st.lists(st.tuples(st.sampled_from(["cut before", "cut after"]), st.integers(0, 41)), unique=True),
)
def test_no_step_is_lost_or_repeated_wherever_the_stream_is_cut(
    unix: bool, cuts: list[tuple[str, int]]
) -> None:
    with SmallSessions(unix=unix) as sessions:
        ours = make_vec(CARTPOLE, 2, rollout=sessions.address)
        sessions.orders = list(cuts)
        follow(ours, local(2, AutoresetMode.NEXT_STEP), 41)
        ours.close()
        assert sessions.orders == []
        # Sent again is what never arrived, and nothing else.
        repeated = len(sessions.requests) - len(set(sessions.requests))
        assert repeated == sum(cut == "cut before" for cut, _ in cuts)


def test_a_cut_among_several_requests_under_way_loses_none(two_shards: SmallSessions) -> None:
    ours = make_vec(CARTPOLE, 4, rollout=two_shards.address)
    theirs = local(4, AutoresetMode.NEXT_STEP)
    first, _ = theirs.reset(seed=9)
    two_shards.orders = [("cut after", 0), ("cut before", 1), ("cut after", 2), ("cut before", 2)]
    ours.async_reset(seed=9)
    last = np.zeros_like(first)
    for _ in range(2):
        observations, *_, infos = ours.recv()
        last[infos["env_id"]] = observations
    assert same(last, first)
    for _ in range(3):
        ours.send(np.ones(4, np.int64))
        reference = theirs.step(np.ones(4, np.int64))
        for _ in range(2):
            observations, rewards, _, _, infos = ours.recv()
            ids = infos["env_id"]
            assert same([observations, rewards], [reference[0][ids], reference[1][ids]])
    assert two_shards.orders == []
    ours.close()


def test_a_lost_sidecar_truncates_its_environments_with_the_cause(two_shards: SmallSessions) -> None:
    ours = make_vec(CARTPOLE, 4, rollout=two_shards.address)
    ours.reset(seed=1)
    two_shards.lose("s-0", 1)
    _, rewards, terminated, truncated, infos = ours.step(np.ones(4, np.int64))
    assert truncated.tolist() == [False, False, True, True]
    assert not terminated.any()
    assert rewards.tolist() == [1, 1, 0, 0]
    assert infos["cause"].tolist() == [None, None, "its sidecar died", "its sidecar died"]
    assert infos["_cause"].tolist() == [False, False, True, True]
    *_, truncated, infos = ours.step(np.ones(4, np.int64))
    assert not truncated.any()
    assert "cause" not in infos
    ours.close()


def test_a_refused_request_is_told_and_leaves_the_shard_usable(small: SmallSessions) -> None:
    ours = make_vec(CARTPOLE, 2, rollout=small.address)
    theirs = local(2, AutoresetMode.NEXT_STEP)
    ours.reset(seed=5)
    theirs.reset(seed=5)
    small.orders = [("refuse", 1)]
    with pytest.raises(FleetError, match="refused, as told") as raised:
        ours.step(np.ones(2, np.int64))
    assert raised.value.reason == "INVALID_ARGUMENT"
    assert same(ours.step(np.ones(2, np.int64)), theirs.step(np.ones(2, np.int64)))
    ours.close()


def test_a_session_that_lapsed_is_told_at_the_next_step(small: SmallSessions) -> None:
    ours = make_vec(CARTPOLE, 2, rollout=small.address, renew=False)
    ours.reset(seed=5)
    small.orders = [("cut before", 1)]
    small.sessions.clear()
    small.shards.clear()
    with pytest.raises(FleetError, match="lapsed") as raised:
        ours.step(np.ones(2, np.int64))
    assert raised.value.reason == "UNKNOWN_SESSION"
    ours.close()


def test_a_wrong_token_is_no_reason_to_try_again(small: SmallSessions) -> None:
    transport: Any = "unix" if small.shards_have_sockets else "grpc"
    ours = make_vec(CARTPOLE, 2, rollout=small.address, transport=transport)
    ours.reset(seed=5)
    small.orders = [("cut before", 1)]
    for shard in small.shards.values():
        shard.session.token = "another"
    with pytest.raises(FleetError) as raised:
        ours.step(np.ones(2, np.int64))
    assert raised.value.reason == "UNAUTHENTICATED"
    ours.close()


def test_pauses_are_renewed_through_until_the_close(small: SmallSessions) -> None:
    ours = make_vec(CARTPOLE, 1, rollout=small.address, lease_s=0.3)
    assert {small.renewed.get(timeout=60) for _ in range(3)} == {"s-0"}
    ours.close()
    assert small.closed.get(timeout=60) == "s-0"
    with pytest.raises(ClosedEnvironmentError):
        ours.step(np.zeros(1, np.int64))


def test_a_dropped_object_frees_its_environments(small: SmallSessions) -> None:
    ours = make_vec(CARTPOLE, 1, rollout=small.address)
    del ours
    gc.collect()
    assert small.closed.get(timeout=60) == "s-0"


def test_what_is_asked_of_the_service(small: SmallSessions) -> None:
    options = {"sutton_barto_reward": True, "n": 3}
    make_vec(
        CARTPOLE, 2, rollout=small.address, seed=[4, 9], variant="v", options=options, lease_s=7.5
    ).close()
    asked = small.created[0]
    assert list(asked.seeds) == [4, 9]
    assert asked.variant == "v"
    assert dict(asked.options) == options
    assert asked.lease.ToSeconds() == 7
    assert asked.request_id


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_envs": 0}, "num_envs: expected at least 1, got 0"),
        ({"seed": [1]}, "seed: expected one an environment, 2, got 1"),
        ({"autoreset_mode": "Later"}, r"autoreset_mode: expected one of \['NextStep'.*'Later'"),
        ({"batch_size": 3}, "batch_size: expected 1 to num_envs=2, got 3"),
        ({"render_mode": "human"}, "render_mode: expected 'rgb_array' or None, got 'human'"),
        ({"transport": "carrier pigeon"}, "expected 'auto', 'unix' or 'grpc'"),
        ({"options": {"x": np.zeros(2)}}, "options of gym:CartPole-v1"),
        ({"environment": "full", "patience_s": 0.0}, "QUOTA_EXHAUSTED: 8 of 8"),
    ],
)
def test_what_cannot_be_made(small: SmallSessions, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(FleetError, match=message):
        make_vec(**{"environment": CARTPOLE, "num_envs": 2, "rollout": small.address, **arguments})


def test_calls_that_do_not_fit(small: SmallSessions) -> None:
    ours = make_vec(CARTPOLE, 2, rollout=small.address, autoreset_mode="Disabled")
    ours.reset(seed=0)
    refused: list[tuple[Callable[[], Any], str]] = [
        (lambda: ours.step(np.zeros(3, np.int64)), r"expected an array of shape \(2,\).*got \(3,\)"),
        (lambda: ours.step(np.zeros(2)), "expected int64 at the batch, got float64"),
        (lambda: ours.reset(seed=[1, 2, 3]), "seed: expected one an environment, 2, got 3"),
        (lambda: ours.reset(options={"low": 1}), r"options: expected only reset_mask.*\['low'\]"),
        (
            lambda: ours.reset(options={"reset_mask": [True, False]}),
            r"expected an array bool\[2\], got 'list'",
        ),
        (lambda: ours.reset(options={"reset_mask": np.zeros(2, bool)}), "expected at least one True"),
        (lambda: ours.send(np.zeros(1, np.int64), [2]), r"env_ids: expected indices of 0..1, got \[2\]"),
    ]
    for call, message in refused:
        with pytest.raises(FleetError, match=message) as raised:
            call()
        assert raised.value.reason == "INVALID_ARGUMENT"
    while True:
        _, _, terminated, truncated, _ = ours.step(np.zeros(2, np.int64))
        if (terminated | truncated).any():
            break
    before = len(small.requests)
    with pytest.raises(FleetError, match="autoreset is disabled"):
        ours.step(np.zeros(2, np.int64))
    assert len(small.requests) == before
    ours.close()


def test_calls_out_of_order(two_shards: SmallSessions) -> None:
    ours = make_vec(CARTPOLE, 2, rollout=two_shards.address)
    ours.reset(seed=0)
    with pytest.raises(NoAsyncCallError):
        ours.step_wait()
    with pytest.raises(NoAsyncCallError):
        ours.recv()
    ours.step_async(np.zeros(2, np.int64))
    for call in (lambda: ours.step_async(np.zeros(2, np.int64)), ours.reset, ours.render):
        with pytest.raises(AlreadyPendingCallError):
            call()
    ours.step_wait()
    ours.send(np.zeros(1, np.int64), [1])
    with pytest.raises(AlreadyPendingCallError, match=r"\[1\] have a step under way"):
        ours.send(np.zeros(1, np.int64), [1])
    with pytest.raises(AlreadyPendingCallError):
        ours.step(np.zeros(2, np.int64))
    ours.recv()
    ours.step(np.zeros(2, np.int64))
    ours.close()


def test_one_environment_is_gymnasiums_env(small: SmallSessions) -> None:
    ours, theirs = make(CARTPOLE, rollout=small.address), gymnasium.make("CartPole-v1")
    assert same(ours.reset(seed=2), theirs.reset(seed=2))
    ended = False
    while not ended:
        mine, reference = ours.step(1), theirs.step(1)
        assert same(mine[0], reference[0])
        assert mine[1:] == reference[1:]
        ended = mine[2] or mine[3]
    with pytest.raises(FleetError, match="autoreset is disabled"):
        ours.step(1)
    assert same(ours.reset(), theirs.reset())
    ours.close()


def test_a_shard_that_never_answers_is_given_up(small: SmallSessions) -> None:
    ours = make_vec(CARTPOLE, 2, rollout=small.address, patience_s=0.0)
    ours.reset(seed=5)
    small.orders = [("cut before", 1)] * 10
    with pytest.raises(FleetError) as raised:
        ours.step(np.ones(2, np.int64))
    assert raised.value.reason == "SIDECAR_UNAVAILABLE"
    ours.close()


def test_rows_of_a_refused_request_can_be_sent_again(two_shards: SmallSessions) -> None:
    ours = make_vec(CARTPOLE, 4, rollout=two_shards.address)
    ours.reset(seed=5)
    two_shards.orders = [("refuse", 1)]
    ours.send(np.ones(4, np.int64))
    refused: list[FleetError] = []
    answered: list[int] = []
    for _ in range(2):
        try:
            answered += ours.recv()[-1]["env_id"].tolist()
        except FleetError as error:
            refused.append(error)
    assert [error.reason for error in refused] == ["INVALID_ARGUMENT"]
    missing = sorted(set(range(4)) - set(answered))
    assert len(missing) == 2
    ours.send(np.ones(2, np.int64), missing)
    assert ours.recv()[-1]["env_id"].tolist() == missing
    ours.step(np.ones(4, np.int64))
    ours.close()


def test_a_refusal_by_one_shard_leaves_the_others_in_step(two_shards: SmallSessions) -> None:
    ours = make_vec(CARTPOLE, 4, rollout=two_shards.address)
    theirs = local(4, AutoresetMode.NEXT_STEP)
    ours.reset(seed=5)
    two_shards.orders = [("refuse", 1)]
    with pytest.raises(FleetError, match="refused"):
        ours.step(np.ones(4, np.int64))
    follow(ours, theirs, 20)
    ours.close()
