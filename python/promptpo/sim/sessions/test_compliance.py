"""What every transport to a shard has to do, as tests to inherit: a subclass says how to connect.

Bit for bit means: the bytes of observations, rewards and flags are those of gymnasium's SyncVectorEnv.
"""

from __future__ import annotations

import contextlib
import io
import os
import select
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from PIL import Image

from promptpo.rollout.v1 import rollout_pb2
from promptpo.sim.environments.gym_env import make_gym
from promptpo.sim.errors import SimError
from promptpo.sim.server.testing import Sidecar
from promptpo.sim.sessions.misbehaving import DIE, END, GO_ON, HANG, MOODY, NESTED, RAISE, UNFIT
from promptpo.sim.sessions.testing import Connect, Outcome, ShardClient, open_request, session
from promptpo.sim.v1 import sim_pb2

NEXT_STEP = rollout_pb2.AUTORESET_MODE_NEXT_STEP
SAME_STEP = rollout_pb2.AUTORESET_MODE_SAME_STEP
DISABLED = rollout_pb2.AUTORESET_MODE_DISABLED
MODES: dict[Any, AutoresetMode] = {
    NEXT_STEP: AutoresetMode.NEXT_STEP,
    SAME_STEP: AutoresetMode.SAME_STEP,
    DISABLED: AutoresetMode.DISABLED,
}
_numbers = count()


class StreamCompliance:
    """Inherit and say `connect`."""

    def connect(self, sidecar: Sidecar, opened: sim_pb2.ShardOpened) -> Connect:
        """How streams to this shard are made."""
        raise NotImplementedError

    @contextmanager
    def shard(self, sidecar: Sidecar, environment: str, n: int = 1, **more: Any) -> Iterator[ShardClient]:
        """A session with its client, whose stream is not open yet."""
        request = open_request(f"session-{next(_numbers)}", environment, n, **more)
        with session(sidecar, request) as opened:
            yield ShardClient(request.session_id, self.connect(sidecar, opened))

    # --- opening ---

    def test_the_shard_says_what_it_is(self, sidecar: Sidecar) -> None:
        with self.shard(sidecar, "HalfCheetah-v5", 2, autoreset_mode=SAME_STEP) as client:
            opened = client.open()
            local = make_gym("HalfCheetah-v5")
            assert client.observation_space == local.observation_space
            assert client.action_space == local.action_space
            assert (opened.environment_count, opened.next_step) == (2, 0)
            assert (opened.lease.seconds, opened.autoreset_mode) == (60, SAME_STEP)

    def test_a_wrong_token(self, sidecar: Sidecar) -> None:
        with self.shard(sidecar, MOODY) as client:
            client._token = "another one"
            assert fails(client.open) == "UNAUTHENTICATED"
            client._token = ""
            assert fails(client.open) == "UNAUTHENTICATED"

    def test_a_first_message_that_does_not_open(self, sidecar: Sidecar) -> None:
        with self.shard(sidecar, MOODY) as client:
            for first in (sim_pb2.StepRequest(reset=sim_pb2.Reset(step=0)), sim_pb2.StepRequest()):
                client.stream = client._connect()
                client.stream.send(first.SerializeToString())
                assert fails(client.receive) == "INVALID_ARGUMENT"
            client.stream = client._connect()
            client.stream.send(b"\xff\xff\xff")
            assert fails(client.receive) == "MALFORMED_MESSAGE"

    def test_a_session_that_is_not_there(self, sidecar: Sidecar) -> None:
        with self.shard(sidecar, MOODY) as client:
            client.session_id = "another"
            assert fails(client.open) == "UNKNOWN_SESSION"

    # --- bad requests, none of which does anything ---

    def test_requests_that_cannot_be_carried_out(self, sidecar: Sidecar) -> None:
        with self.shard(sidecar, MOODY, 2) as client:
            step = np.zeros(2, np.int64)

            def refused(**kind: Any) -> str:
                client.open()
                client.send(**kind)
                return fails(client.receive)

            data = step.tobytes()
            assert refused(actions=sim_pb2.Actions(step=0, data=data)) == "INVALID_ARGUMENT"  # before a reset
            assert refused(reset=sim_pb2.Reset(step=1)) == "INVALID_ARGUMENT"  # a gap
            assert refused(reset=sim_pb2.Reset(step=0, indices=[2])) == "INVALID_ARGUMENT"
            assert refused(reset=sim_pb2.Reset(step=0, indices=[1, 1])) == "INVALID_ARGUMENT"
            assert refused(reset=sim_pb2.Reset(step=0, seeds=[1])) == "INVALID_ARGUMENT"
            assert refused(reset=sim_pb2.Reset(step=0, seeds=[1, -1])) == "INVALID_ARGUMENT"
            assert refused(open=sim_pb2.OpenShard()) == "INVALID_ARGUMENT"
            assert refused(render=sim_pb2.RenderFrame()) == "INVALID_ARGUMENT"  # nothing to draw yet
            assert fails(lambda: client.open(last_step=0)) == "INVALID_ARGUMENT"
            client.open()
            client.reset()
            assert refused(actions=sim_pb2.Actions(step=1, data=data[:-1])) == "INVALID_ARGUMENT"
            client.open()
            assert client.act(step).rewards.tolist() == [1.0, 1.0]

    def test_a_message_that_is_too_large(self, sidecar: Sidecar) -> None:
        with self.shard(sidecar, MOODY) as client:
            client.open()
            client.reset()
            with contextlib.suppress(OSError):  # the shard hangs up before all of it is sent
                client.send(actions=sim_pb2.Actions(step=1, data=bytes((64 << 20) + 1)))
            assert fails(client.receive) in ("MESSAGE_TOO_LARGE", "SIDECAR_DIED")
            client.next = 1
            client.open()
            assert client.act(np.zeros(1, np.int64)).rewards.tolist() == [1.0]

    # --- bit for bit ---

    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize(
        ("environment", "steps", "options"),
        [
            ("HalfCheetah-v5", 1000, {"max_episode_steps": 90}),
            ("gym:CartPole-v1", 1000, {}),
            (NESTED, 300, {}),
            ("NoiseWorld-4", 300, {}),
            ("button-press-v3", 520, {}),
            ("PointMaze_Large-v3", 120, {}),
        ],
    )
    def test_equal_to_gymnasium(
        self, sidecar: Sidecar, mode: int, environment: str, steps: int, options: dict[str, Any]
    ) -> None:
        n = 1 if environment == "button-press-v3" else 3
        if environment == "PointMaze_Large-v3":
            options = {"max_episode_steps": 50}
        local = SyncVectorEnv([lambda: local_env(environment, options)] * n, autoreset_mode=MODES[mode])
        rng = np.random.default_rng(5)
        local.action_space.seed(11)
        with self.shard(sidecar, environment, n, autoreset_mode=mode, options=options) as client:
            client.open()
            seeds = [int(seed) for seed in rng.integers(0, 1000, n)]
            same(client.reset(seeds=seeds).observation, local.reset(seed=seeds)[0])
            over = np.zeros(n, bool)
            ends = 0
            for _ in range(steps):
                if mode == DISABLED and over.any():
                    who = np.flatnonzero(over).tolist()
                    seen, _ = local.reset(options={"reset_mask": over.copy()})
                    same(client.reset(who).observation, rows(seen, who))
                actions = local.action_space.sample()
                outcome = client.act(actions)
                seen, rewards, terminated, truncated, infos = local.step(actions)
                same(outcome.observation, seen)
                same(outcome.rewards, rewards)
                assert outcome.terminated == terminated.tolist()
                assert outcome.truncated == truncated.tolist()
                assert not outcome.causes
                over = terminated | truncated
                ends += int(over.sum())
                if mode == SAME_STEP and over.any():
                    for index in np.flatnonzero(over):
                        same(rows(outcome.final, index), infos["final_obs"][index])
                else:
                    assert outcome.final is None
            assert ends > 0
        local.close()

    def test_a_seed_of_the_session_is_for_the_first_reset_without_one(self, sidecar: Sidecar) -> None:
        local = SyncVectorEnv([lambda: gymnasium.make("CartPole-v1")] * 2)
        with self.shard(sidecar, "gym:CartPole-v1", 2, seeds=[7, 3]) as client:
            client.open()
            same(client.reset([1]).observation, local.reset(seed=[7, 3])[0][1:])
            same(client.reset([0]).observation, local.reset(seed=[7, 3])[0][:1])
            # From here on the generators go on.
            same(client.reset().observation, local.reset()[0])

    def test_partial_steps_touch_nobody_else(self, sidecar: Sidecar) -> None:
        with self.shard(sidecar, MOODY, 3) as client:
            client.open()
            client.reset(seeds=[1, 2, 3])
            assert client.act(np.zeros(2, np.int64), [2, 0]).observation[:, 0].tolist() == [1.0, 1.0]
            assert client.act(np.zeros(1, np.int64), [2]).observation[:, 0].tolist() == [2.0]
            assert client.act(np.zeros(3, np.int64)).observation[:, 0].tolist() == [2.0, 1.0, 3.0]
            outcome = client.act(np.full(1, END), [1])
            assert (outcome.terminated, outcome.success) == ([True], [True])
            assert client.act(np.zeros(2, np.int64), [0, 1]).observation[:, 0].tolist() == [3.0, 0.0]

    def test_stepping_an_ended_episode_without_autoreset(self, sidecar: Sidecar) -> None:
        with self.shard(sidecar, MOODY, 2, autoreset_mode=DISABLED) as client:
            client.open()
            client.reset()
            client.act(np.array([END, GO_ON]))
            client.send_actions(np.zeros(2, np.int64))
            with pytest.raises(SimError, match="environment 0 is over") as caught:
                client.outcome()
            assert caught.value.reason == "INVALID_ARGUMENT"
            client.next -= 1
            client.open()
            client.reset([0])
            assert client.act(np.zeros(2, np.int64)).rewards.tolist() == [1.0, 2.0]  # nothing was stepped

    def test_pictures(self, sidecar: Sidecar) -> None:
        with self.shard(sidecar, MOODY, 2) as client:
            client.open()
            client.reset()
            client.act(np.zeros(1, np.int64), [1])
            client.send(render=sim_pb2.RenderFrame())
            pictures = [Image.open(io.BytesIO(png)) for png in client.receive().frames.png]
            assert [(p.size, p.getpixel((0, 0))) for p in pictures] == [
                ((6, 4), (0, 0, 0)),
                ((6, 4), (1, 1, 1)),
            ]
            client.send(render=sim_pb2.RenderFrame(indices=[1]))
            assert len(client.receive().frames.png) == 1

    def test_an_environment_that_draws_nothing(self, sidecar: Sidecar) -> None:
        with self.shard(sidecar, NESTED) as client:
            client.open()
            client.reset()
            client.send(render=sim_pb2.RenderFrame())
            assert fails(client.receive) == "RENDERING_UNAVAILABLE"

    # --- deaths ---

    @pytest.mark.parametrize("mode", MODES)
    def test_an_environment_that_raises_is_truncated_and_comes_back(
        self, sidecar: Sidecar, mode: int
    ) -> None:
        with self.shard(sidecar, MOODY, 3, autoreset_mode=mode, seeds=[4, 5, 6]) as client:
            client.open()
            first = client.reset()
            outcome = client.act(np.array([GO_ON, RAISE, GO_ON]))
            assert outcome.causes == {1: "ValueError: bad mood"}
            assert (outcome.truncated, outcome.terminated) == ([False, True, False], [False] * 3)
            assert outcome.rewards.tolist() == [1.0, 0.0, 1.0]
            if mode == SAME_STEP:
                assert outcome.observation[1, 0] == 0.0
                assert outcome.final.tolist() == [[0.0, 0.0]] * 3
            else:
                assert outcome.observation[1].tolist() == [0.0, 0.0]
            if mode == DISABLED:
                again = client.reset([1])
                assert again.observation[0, 0] == 0.0
            outcome = client.act(np.zeros(3, np.int64))
            assert outcome.truncated == [False] * 3
            assert outcome.observation[:, 0].tolist() == [2.0, 0.0 if mode == NEXT_STEP else 1.0, 2.0]
            number = outcome.observation[1, 1]
            assert number not in (0.0, *first.observation[:, 1])  # a new episode, not the first one again
            assert not outcome.causes
            report = only_report(sidecar, client)
            assert (report.death_count, report.episode_count) == (1, 0)

    def test_an_environment_that_cannot_be_reset(self, sidecar: Sidecar) -> None:
        with self.shard(sidecar, MOODY, 2, options={"refuses_reset": 2}) as client:
            client.open()
            client.reset()
            client.act(np.array([END, GO_ON]))
            outcome = client.act(np.zeros(2, np.int64))
            assert outcome.causes == {0: "RuntimeError: no reset today"}
            assert outcome.truncated == [True, False]
            outcome = client.act(np.zeros(2, np.int64))
            assert (outcome.truncated, outcome.observation[:, 0].tolist()) == ([False] * 2, [0.0, 3.0])

    def test_an_observation_that_does_not_fit_its_space(self, sidecar: Sidecar) -> None:
        with self.shard(sidecar, UNFIT) as client:
            client.open()
            outcome = client.reset()
            assert outcome.causes[0].startswith("TypeError: the environment's space says float64[2]")
            assert outcome.truncated == [True]

    @pytest.mark.parametrize("mode", MODES)
    def test_a_process_that_dies_is_replaced(self, sidecar: Sidecar, mode: int) -> None:
        with self.shard(sidecar, MOODY, 2, autoreset_mode=mode, seeds=[1, 2]) as client:
            client.open()
            client.reset()
            client.act(np.zeros(2, np.int64))
            client.send_actions(np.array([GO_ON, DIE]))
            lost = fails(client.outcome)
            assert lost == "SIDECAR_DIED"
            client.next -= 1
            assert client.open().next_step == 2
            outcome = client.act(np.zeros(2, np.int64))
            assert (outcome.step, outcome.truncated, outcome.terminated) == (2, [True] * 2, [False] * 2)
            assert outcome.causes == dict.fromkeys(
                range(2), "the environments' process was killed by SIGKILL"
            )
            assert outcome.rewards.tolist() == [0.0, 0.0]
            if mode == DISABLED:
                client.reset()
            outcome = client.act(np.zeros(2, np.int64))
            assert (outcome.truncated, outcome.causes) == ([False] * 2, {})
            assert outcome.observation[:, 0].tolist() == [float(mode != NEXT_STEP)] * 2
            report = only_report(sidecar, client)
            assert report.death_count == 2

    def test_requests_under_way_when_the_process_dies(self, sidecar: Sidecar) -> None:
        with self.shard(sidecar, MOODY, 3) as client:
            client.open()
            client.reset()
            client.send_actions(np.array([DIE]), [0])
            client.send_actions(np.zeros(2, np.int64), [1, 2])
            assert fails(client.outcome) == "SIDECAR_DIED"
            client.next = 1
            client.open()
            client.send_actions(np.zeros(1, np.int64), [0])
            client.send_actions(np.zeros(2, np.int64), [1, 2])
            assert [client.outcome().truncated for _ in range(2)] == [[True], [True, True]]
            assert client.act(np.zeros(3, np.int64)).observation[:, 0].tolist() == [0.0] * 3

    def test_a_process_that_always_dies_is_given_up(self, sidecar: Sidecar) -> None:
        with self.shard(sidecar, MOODY, options={"dies_in_reset": True}) as client:
            reasons: list[tuple[str, str]] = []
            while len(reasons) < 20 and "UNKNOWN_SESSION" not in dict(reasons):
                try:
                    client.open()
                    client.next = 0
                    client.send_reset()
                    client.outcome()
                except SimError as error:
                    reasons.append((error.reason, error.message))
                except OSError:
                    reasons.append(("UNKNOWN_SESSION", "3 times in a row"))  # its socket is gone
            assert [reason for reason, _ in reasons[:2]] == ["SIDECAR_DIED"] * 2
            assert reasons[-1][0] == "UNKNOWN_SESSION"

    # --- streams that break ---

    def test_a_broken_stream_goes_on_where_it_was(self, sidecar: Sidecar) -> None:
        with self.shard(sidecar, "gym:CartPole-v1", 2) as client:
            client.open()
            client.reset(seeds=[1, 2])
            local = SyncVectorEnv([lambda: gymnasium.make("CartPole-v1")] * 2)
            local.reset(seed=[1, 2])
            rng = np.random.default_rng(0)
            for _ in range(60):
                ahead = int(rng.integers(1, 5))
                actions = [rng.integers(0, 2, 2) for _ in range(ahead)]
                begin = client.next
                for each in actions:
                    client.send_actions(each)
                read = int(rng.integers(0, ahead + 1))
                expected = [local.step(each) for each in actions]
                outcomes = [client.outcome() for _ in range(read)]
                if rng.random() < 0.5:
                    client.stream.cut()
                    opened = client.open()
                    kept = opened.next_step - begin - read
                    outcomes += [client.outcome() for _ in range(kept)]
                    # Said again from the first that was not answered when the stream broke.
                    client.next = begin + read
                    for each in actions[read:]:
                        client.send_actions(each)
                outcomes += [client.outcome() for _ in range(ahead - len(outcomes))]
                assert [outcome.step for outcome in outcomes] == list(range(begin, begin + ahead))
                for outcome, (seen, rewards, *_) in zip(outcomes, expected, strict=True):
                    same(outcome.observation, seen)
                    same(outcome.rewards, rewards)

    def test_an_answer_that_is_asked_for_again(self, sidecar: Sidecar) -> None:
        with self.shard(sidecar, MOODY) as client:
            client.open()
            client.reset()
            raw = [client.act(np.zeros(1, np.int64)).raw for _ in range(20)]
            client.open()
            client.next = 20
            assert client.act(np.zeros(1, np.int64)).raw == raw[-1]  # not carried out again
            client.next = 21
            assert client.act(np.zeros(1, np.int64)).rewards.tolist() == [21.0]
            assert fails(lambda: client.open(last_step=3)) == "INVALID_ARGUMENT"  # no longer kept
            client.open(last_step=10)
            assert [client.outcome().step for _ in range(11)] == list(range(11, 22))
            client.next = 1
            client.send_actions(np.zeros(1, np.int64))
            assert fails(client.receive) == "INVALID_ARGUMENT"

    def test_a_newer_stream_takes_over(self, sidecar: Sidecar) -> None:
        with self.shard(sidecar, MOODY) as client:
            client.open()
            client.reset()
            old = client.stream
            client.open()
            assert client.act(np.zeros(1, np.int64)).rewards.tolist() == [1.0]
            with pytest.raises(SimError) as caught:
                old.receive()
            assert caught.value.reason == "CONFLICT"
            assert only_report(sidecar, client).attached

    # --- leases and ends ---

    def test_a_lease_that_lapses_frees_the_process(self, sidecar: Sidecar) -> None:
        before = set(sidecar.descendants())
        with self.shard(sidecar, MOODY, lease_s=1.0) as client:
            client.open()
            client.reset()
            (pid,) = set(sidecar.descendants()) - before
            with ends(pid):
                with pytest.raises(SimError, match="lease of 1 s lapsed") as caught:
                    client.receive()
                assert caught.value.reason == "UNKNOWN_SESSION"
            assert not sidecar.stub.Report(sim_pb2.ReportRequest()).sessions

    def test_a_session_that_is_closed(self, sidecar: Sidecar) -> None:
        before = set(sidecar.descendants())
        with self.shard(sidecar, MOODY) as client:
            client.open()
            (pid,) = set(sidecar.descendants()) - before
            with ends(pid):
                sidecar.stub.CloseSession(sim_pb2.CloseSessionRequest(session_id=client.session_id))
                assert fails(client.receive) == "UNKNOWN_SESSION"

    def test_a_session_whose_step_does_not_end_can_be_closed(self, sidecar: Sidecar) -> None:
        before = set(sidecar.descendants())
        with self.shard(sidecar, MOODY) as client:
            client.open()
            client.reset()
            client.send_actions(np.array([HANG]))
            (pid,) = set(sidecar.descendants()) - before
            with ends(pid):
                sidecar.stub.CloseSession(sim_pb2.CloseSessionRequest(session_id=client.session_id))

    def test_a_killed_process_is_noticed_by_an_idle_client(self, sidecar: Sidecar) -> None:
        before = set(sidecar.descendants())
        with self.shard(sidecar, MOODY) as client:
            client.open()
            client.reset()
            (pid,) = set(sidecar.descendants()) - before
            os.kill(pid, signal.SIGKILL)
            assert fails(client.receive) == "SIDECAR_DIED"
            client.open()
            assert client.act(np.zeros(1, np.int64)).truncated == [True]


def local_env(environment: str, options: dict[str, Any]) -> gymnasium.Env[Any, Any]:
    """What a user steps: gymnasium's own where it has one, with its checker."""
    name = environment.removeprefix("gym:")
    if name in gymnasium.registry and not name.startswith("PointMaze"):
        return gymnasium.make(name, **options)
    return make_gym(environment, "", options)


def fails(call: Callable[[], object]) -> str:
    """The reason of a call that must fail."""
    with pytest.raises(SimError) as caught:
        call()
    return caught.value.reason


def rows(batch: Any, index: Any) -> Any:
    """Some rows of a batch."""
    if isinstance(batch, dict):
        return {key: rows(value, index) for key, value in batch.items()}
    if isinstance(batch, tuple):
        return tuple(rows(value, index) for value in batch)
    return batch[index]


def same(left: Any, right: Any) -> None:
    """Bit for bit."""
    if isinstance(left, dict):
        assert set(left) == set(right)
        for key in left:
            same(left[key], right[key])
    elif isinstance(left, tuple):
        assert len(left) == len(right)
        for one, other in zip(left, right, strict=True):
            same(one, other)
    else:
        one, other = np.asarray(left), np.asarray(right)
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        assert one.tobytes() == other.tobytes()


def only_report(sidecar: Sidecar, client: ShardClient) -> sim_pb2.SessionReport:
    """What the sidecar says of the client's session."""
    (found,) = sidecar.stub.Report(sim_pb2.ReportRequest()).sessions
    assert found.session_id == client.session_id
    return found


@contextmanager
def ends(pid: int) -> Iterator[None]:
    """What happens within must end the process."""
    pidfd = os.pidfd_open(pid)
    yield
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    assert poll.poll(20_000), "the process goes on"
    os.close(pidfd)


__all__ = ["Outcome", "StreamCompliance"]
