"""Step numbers over streams that break anywhere: no step is lost, none is done twice."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium.vector.utils import batch_space
from hypothesis import given, settings
from hypothesis import strategies as st

from promptpo.client.packing import BatchWriter
from promptpo.sim.errors import SimError
from promptpo.sim.sessions.conversation import KEPT_ANSWERS, Conversation
from promptpo.sim.sessions.misbehaving import GO_ON, Moody, Nested
from promptpo.sim.sessions.stepping import Mode, Stepping
from promptpo.sim.v1 import sim_pb2


def conversation(resumes: bool = False) -> Conversation:
    stepping = Stepping(Moody, 1, "NEXT_STEP", [3], "lost" if resumes else "", int(resumes))
    return Conversation(stepping, sim_pb2.ShardOpened(environment_count=1), resumes=resumes)


def request(step: int) -> bytes:
    """The so-manieth request of a client that resets once and then steps."""
    if step == 0:
        return sim_pb2.StepRequest(reset=sim_pb2.Reset(step=0)).SerializeToString()
    data = np.array([GO_ON]).tobytes()
    return sim_pb2.StepRequest(actions=sim_pb2.Actions(step=step, data=data)).SerializeToString()


def step_of(answer: bytes) -> int:
    return sim_pb2.StepResponse.FromString(answer).transition.step


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(st.integers(1, 8), st.integers(0, 9)), max_size=30))
def test_a_client_that_loses_streams_gets_every_answer_once(streams: list[tuple[int, int]]) -> None:
    """It says up to eight requests ahead; a stream breaks with some of them carried out and some answers
    read."""
    straight = conversation()
    list(straight.open(-1))
    expected = [straight.answer(request(step)) for step in range(40)]
    shard = conversation()
    got: list[bytes | None] = []
    for ahead, arriving in (*streams, (40, 41)):
        answers: list[bytes] = list(shard.open(len(got) - 1))[1:]
        said = len(got)
        for step in range(said, min(said + ahead, 40)):
            answer = shard.answer(request(step))
            if answer is not None:
                answers.append(answer)
        got += answers[:arriving]
        assert got == expected[: len(got)]
    assert len(got) == 40


@given(st.integers(0, 60), st.integers(-1, 60))
def test_a_stream_opens_only_where_nothing_is_missing(done: int, last: int) -> None:
    shard = conversation()
    list(shard.open(-1))
    for step in range(done):
        shard.answer(request(step))
    if last < done and last + 1 >= done - KEPT_ANSWERS:
        opened, *answers = shard.open(last)
        assert sim_pb2.StepResponse.FromString(opened).opened.next_step == done
        assert [step_of(answer) for answer in answers] == list(range(last + 1, done))
    else:
        with pytest.raises(SimError, match=r"open\.last_step"):
            list(shard.open(last))


def test_a_shard_in_the_place_of_a_lost_one_takes_the_clients_word() -> None:
    shard = conversation(resumes=True)
    (opened,) = shard.open(41)
    assert sim_pb2.StepResponse.FromString(opened).opened.next_step == 42
    answer = shard.answer(request(42))
    assert answer is not None
    transition = sim_pb2.StepResponse.FromString(answer).transition
    assert (transition.step, transition.truncated, dict(transition.causes)) == (42, b"\1", {0: "lost"})
    with pytest.raises(SimError, match="step 42 is the last"):
        list(shard.open(43))


@pytest.mark.parametrize("step", [-1, 2, 1 << 40])
def test_a_gap_in_the_numbers(step: int) -> None:
    shard = conversation()
    list(shard.open(-1))
    shard.answer(request(0))
    with pytest.raises(SimError, match=r"actions\.step: the next step is 1"):
        shard.answer(request(step))


def test_an_unreadable_request() -> None:
    shard = conversation()
    list(shard.open(-1))
    with pytest.raises(SimError, match="no StepRequest"):
        shard.answer(b"\xff")
    with pytest.raises(SimError, match="holds actions, reset or render"):
        shard.answer(b"")


@pytest.mark.parametrize("mode", ["NEXT_STEP", "SAME_STEP", "DISABLED"])
@pytest.mark.parametrize("n", [1, 3, 20])
def test_what_is_encoded_by_hand_is_what_the_library_encodes(n: int, mode: Mode) -> None:
    stepping = Stepping(Nested, n, mode, list(range(n)), "", 0)
    stepping.reset(0, (), ())
    stepping.action_space.seed(0)
    for step in (1, 127, 128, 300):
        actions = batch_space(stepping.action_space, n).sample()
        data = BatchWriter(stepping.action_space, n).write(actions)
        plain = stepping.act(step, (), data)
        transition = sim_pb2.StepResponse.FromString(plain)
        assert transition.transition.step == step
        assert transition.SerializeToString() == plain
        assert len(transition.transition.rewards) == 8 * n
        assert len(transition.transition.observations) == 4
