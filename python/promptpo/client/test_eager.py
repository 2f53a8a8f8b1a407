"""Waiting awake and asleep: both end with what came, and with the other side."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from promptpo.client.eager import EagerWait, cores


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


@pytest.mark.parametrize("limit_s", [0.0, 60.0], ids=["asleep", "awake"])
def test_it_returns_when_something_came_and_when_the_other_side_is_gone(
    ends: tuple[socket.socket, socket.socket], limit_s: float
) -> None:
    one, other = ends
    waiting = EagerWait(one.fileno(), limit_s)
    for _ in range(3):
        asked = threading.Event()

        def answer(asked: threading.Event = asked) -> None:
            asked.wait()
            other.send(b"here")

        answering = threading.Thread(target=answer)
        answering.start()
        asked.set()
        waiting.wait()
        assert one.recv(16) == b"here"
        answering.join()
    other.close()
    waiting.wait()
    assert one.recv(16) == b""


def test_it_sleeps_at_once_after_a_long_wait_and_is_awake_again_after_a_short_one(
    ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = ends
    clock = iter([0.0, 9.0, 10.0, 12.0, 20.0, 20.5, 30.0]).__next__
    yields: list[int] = []
    monkeypatch.setattr("promptpo.client.eager.perf_counter", clock)
    waiting = EagerWait(one.fileno(), 1.0)

    def looked() -> None:
        yields.append(1)

    monkeypatch.setattr("os.sched_yield", looked)

    def answer_when_asleep() -> None:
        other.send(b".")

    # Looked from 0.0 to 9.0 in vain, slept from 10.0 to 12.0: longer than the limit.
    later = threading.Timer(0.0, answer_when_asleep)
    poll, polled = waiting._poll, []

    def counting(*timeout: int) -> list[tuple[int, int]]:
        polled.append(timeout)
        if timeout == () and len(polled) == 2:
            later.start()
        return poll(*timeout)

    waiting._poll = counting  # type: ignore[misc,assignment]
    waiting.wait()
    assert polled == [(0,), ()]
    one.recv(16)
    # Slept at once, from 20.0 to 20.5: short enough to look again from now on.
    other.send(b".")
    waiting.wait()
    assert polled == [(0,), (), ()]
    waiting.wait()
    assert polled == [(0,), (), (), (0,)]
    later.join()


def test_this_machine_has_a_core() -> None:
    assert cores() >= 1
