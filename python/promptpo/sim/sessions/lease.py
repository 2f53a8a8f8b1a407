"""A session's lease on the monotonic clock: how long it still lives, and whether it hangs.

Owns the arithmetic; the clock is given, so that tests need not wait. Two threads use it: one steps, the other
one watches.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Final

HANGS_AFTER_S: Final = 120.0
"""No step takes as long, not even one that builds simulators: the process is given up and replaced."""

HUNG_STATUS: Final = 70
"""Exit status of such a process."""


class Lease:
    """Renewed by every request; runs on while nothing is asked."""

    def __init__(self, length_s: float, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self.length_s = length_s
        """Seconds that a request renews it by."""
        self._ends = now() + length_s
        self._busy_since: float | None = None

    def renew_at_least(self) -> None:
        """A stream was opened: the lease lasts its whole length from now, or longer if it did."""
        self._ends = max(self._ends, self._now() + self.length_s)

    def begin(self) -> None:
        """A request came."""
        self._busy_since = self._now()

    def end(self) -> None:
        """It was answered. From now on the session is idle."""
        self._busy_since = None
        self.renew_at_least()

    def renew(self, for_s: float) -> None:
        """It lives `for_s` from now, longer or shorter than before."""
        self._ends = self._now() + for_s

    def left_s(self) -> float:
        """Seconds that it still lives without a request; while one is carried out, its whole length."""
        left = self._ends - self._now()
        return max(left, self.length_s) if self._busy_since is not None else left

    def hangs(self) -> bool:
        """A request is being carried out for longer than any takes."""
        since = self._busy_since
        return since is not None and self._now() - since > HANGS_AFTER_S

    def look_again_in_s(self) -> float:
        """When one of the two can be so at the earliest."""
        since = self._busy_since
        if since is not None:
            return max(0.0, min(since + HANGS_AFTER_S - self._now(), self.length_s))
        return max(0.0, self.left_s())
