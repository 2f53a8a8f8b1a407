"""A run's events over connections that break.

Owns the sequence number to go on from, and when to give up. Refuses to skip or repeat an event, and to end
before the run has.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from promptpo.client.calls import Calls
from promptpo.client.errors import FleetError
from promptpo.client.retrying import FIRST_PAUSE_S, pause_before
from promptpo.optimizer.v1 import optimizer_pb2, optimizer_pb2_grpc

_ENDS: Final = frozenset(
    (
        optimizer_pb2.RUN_STATE_SUCCEEDED,
        optimizer_pb2.RUN_STATE_FAILED,
        optimizer_pb2.RUN_STATE_CANCELLED,
        optimizer_pb2.RUN_STATE_STOPPED_BY_BUDGET,
    )
)


@dataclass(frozen=True)
class WatchedEvent:
    """An event of a run's log, and the run as it stands after it."""

    event: optimizer_pb2.Event
    run: optimizer_pb2.Run


def has_ended(run: optimizer_pb2.Run) -> bool:
    """Whether the run is in a state that it does not leave any more."""
    return run.state in _ENDS


def watch_run(
    calls: Calls,
    stub: optimizer_pb2_grpc.OptimizerStub,
    run_id: str,
    after_sequence: int,
    patience_s: float,
) -> Iterator[WatchedEvent]:
    """The events after a sequence number, each once and in order, until the run has ended."""
    sequence = after_sequence
    heard = time.monotonic()
    attempt = 1
    while True:
        try:
            watch = optimizer_pb2.WatchRunRequest(run_id=run_id, after_sequence=sequence)
            for message in calls.stream("optimizer", stub.WatchRun, watch, None):
                heard, attempt = time.monotonic(), 1
                # A heartbeat has no event; a repeated event has been told.
                if message.HasField("event") and message.event.sequence > sequence:
                    sequence = message.event.sequence
                    yield WatchedEvent(message.event, message.run)
                    # The reader may have taken its time, which is no silence of the other side.
                    heard = time.monotonic()
            # The stream ends with the run; whatever is between may end it as well.
            run = calls.short("optimizer", stub.GetRun, optimizer_pb2.GetRunRequest(run_id=run_id)).run
            if has_ended(run) and run.last_sequence <= sequence:
                return
            heard = time.monotonic()
            pause = FIRST_PAUSE_S
        except FleetError as error:
            pause = pause_before(attempt, error)
            if not error.retryable or time.monotonic() + pause - heard > patience_s:
                raise
            attempt += 1
        time.sleep(pause)
