"""Trying again, by the rules of the reason table.

Only what can not do or cost anything twice may be given here: a call that reads, or one that carries an id by
which its service knows it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from promptpo.client.errors import FleetError

T = TypeVar("T")

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0


def pause_before(attempt: int, error: FleetError) -> float:
    """Seconds to wait before the attempt after `attempt` (from 1).

    Doubles, half of it random, so that callers that failed together do not come back together; never shorter
    than the server asked for.
    """
    backoff = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** (attempt - 1))
    return max(error.retry_after_s or 0.0, backoff * (0.5 + random.random() / 2))


def retrying(
    call: Callable[[float | None], T],
    *,
    timeout_s: float | None,
    patience_s: float,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """The call's answer.

    `call` gets the seconds that are left. `timeout_s` bounds all attempts together; `patience_s` bounds the
    pauses alone: how long to wait for a peer that is away, however long a call may take.
    """
    end = None if timeout_s is None else time.monotonic() + timeout_s
    paused = 0.0
    attempt = 1
    while True:
        try:
            return call(None if end is None else max(0.001, end - time.monotonic()))
        except FleetError as error:
            pause = pause_before(attempt, error)
            paused += pause
            late = end is not None and time.monotonic() + pause >= end
            if not error.retryable or paused > patience_s or late:
                raise
        sleep(pause)
        attempt += 1
