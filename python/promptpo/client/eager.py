"""Waiting for the other side of an exchange without letting the core fall asleep.

A core that sleeps takes some 50 us to wake and comes back with cold caches: a quarter of an exchange of eight
small environments. Where answers have been coming quickly, the next one is looked for a while before the
thread sleeps; between two looks the core is offered to whoever else wants it. Where they take longer, it
sleeps at once.
"""

from __future__ import annotations

import os
import select
from time import perf_counter
from typing import Final


class EagerWait:
    """Waits until a descriptor can be read, for at most `limit_s` awake. One thread waits."""

    def __init__(self, fileno: int, limit_s: float) -> None:
        poll = select.poll()
        poll.register(fileno, select.POLLIN)
        self._poll: Final = poll.poll
        self._limit_s: Final = limit_s
        self._is_eager = True

    def wait(self) -> None:
        """Returns when there is something to read, or the other side has hung up."""
        poll, limit_s = self._poll, self._limit_s
        if self._is_eager:
            until = perf_counter() + limit_s
            while not poll(0):
                if perf_counter() > until:
                    break
                os.sched_yield()
            else:
                return
        began = perf_counter()
        poll()
        self._is_eager = perf_counter() - began < limit_s


def cores() -> int:
    """Cores that this process may use."""
    # Not every system tells.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
