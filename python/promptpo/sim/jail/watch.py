"""The watch: one thread in the worker that holds policy processes to their limits, by SIGKILL from outside.

The worker's main thread blocks in read and write without timeouts; when a limit is passed, or the job is
cancelled, the process is killed here and the pipe's end wakes the main thread, which finds the reason in
`Watched.verdict`. A limit is met at most `TICK_S` late.
"""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import dataclass, field

from ..policy_error import PolicyError
from .limits import TICK_S, Limits


@dataclass
class Watched:
    """A policy process under watch. The main thread writes the first group, the watch the second."""

    pid: int
    pidfd: int
    limits: Limits
    exchange: int = 0
    """Number of the exchange that the policy is answering (1: the start); 0 while it is not its turn."""
    starting: bool = True
    episode_cpu_base_s: float = 0.0
    episode_began_s: float = field(default_factory=time.monotonic)

    verdict: PolicyError | None = None
    """Why the watch killed it."""
    _seen_exchange: int = 0
    _seen_cpu_s: float = 0.0
    _seen_at_s: float = 0.0

    def cpu_s(self) -> float:
        """CPU seconds that the process has used; 0.0 once it is gone."""
        try:
            return time.clock_gettime(_cpu_clock(self.pid))
        except OSError:
            return 0.0

    def begin_episode(self) -> None:
        """From here on count the episode's limits."""
        self.episode_cpu_base_s = self.cpu_s()
        self.episode_began_s = time.monotonic()

    def kill(self, verdict: PolicyError | None) -> None:
        """Ends the process; the first verdict stays."""
        if self.verdict is None:
            self.verdict = verdict
        try:
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        except ProcessLookupError:
            return

    def look(self) -> None:
        """One look at the clocks."""
        exchange = self.exchange
        now_s = time.monotonic()
        limits = self.limits
        if now_s - self.episode_began_s > limits.episode_wall_s:
            self.kill(_timeout(f"the episode took more than {limits.episode_wall_s:g} s"))
            return
        if exchange == 0:
            self._seen_exchange = 0
            return
        cpu_s = self.cpu_s()
        if cpu_s - self.episode_cpu_base_s > limits.episode_cpu_s:
            self.kill(
                _cpu(f"the policy used more than {limits.episode_cpu_s:g} s of CPU time in this episode")
            )
        elif exchange != self._seen_exchange:
            # What it had used before this look is unknown, so the limit counts from here: late by a tick at
            # most.
            self._seen_exchange, self._seen_cpu_s, self._seen_at_s = exchange, cpu_s, now_s
        else:
            doing, limit_s = (
                ("starting", limits.start_cpu_s) if self.starting else ("one action", limits.action_cpu_s)
            )
            if cpu_s - self._seen_cpu_s > limit_s:
                self.kill(_cpu(f"{doing} took more than {limit_s:g} s of CPU time"))
            elif now_s - self._seen_at_s > limits.action_wall_s:
                self.kill(_timeout(f"{doing} took more than {limits.action_wall_s:g} s"))


class Watch:
    """Looks at the processes under watch every `TICK_S`; sleeps while there are none. Closed by its owner."""

    def __init__(self) -> None:
        self._watched: list[Watched] = []
        self._changed = threading.Condition()
        self._closed = False
        self._cancelled = False
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def add(self, watched: Watched) -> None:
        """Begins to watch; a process that comes after `cancel` is killed at once."""
        with self._changed:
            self._watched.append(watched)
            if self._cancelled:
                watched.kill(None)
            self._changed.notify()

    def remove(self, watched: Watched) -> None:
        """Ends watching; afterwards nobody signals this process."""
        with self._changed:
            self._watched.remove(watched)

    @property
    def watched_count(self) -> int:
        """Processes under watch."""
        return len(self._watched)

    def cancel(self) -> None:
        """Kills what is watched, and what comes later, until `resume`."""
        with self._changed:
            self._cancelled = True
            for watched in self._watched:
                watched.kill(None)

    def resume(self) -> None:
        """Before the next job."""
        with self._changed:
            self._cancelled = False

    @property
    def cancelled(self) -> bool:
        """Whether the present job was cancelled."""
        return self._cancelled

    def close(self) -> None:
        """Ends the thread; may be called twice."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        with self._changed:
            while not self._closed:
                self._changed.wait(TICK_S if self._watched else None)
                for watched in self._watched:
                    watched.look()


def _cpu_clock(pid: int) -> int:
    """The clock id of a process's CPU time, as clock_getcpuclockid(3) computes it."""
    return (~pid << 3) | 2


def _cpu(message: str) -> PolicyError:
    return PolicyError("CPU", message)


def _timeout(message: str) -> PolicyError:
    return PolicyError("TIMEOUT", message)
