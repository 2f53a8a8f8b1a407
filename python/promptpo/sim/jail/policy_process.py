"""One policy process, seen from the worker: start it, ask it, find out how it failed, end it.

Trusts nothing that comes back: every frame is read as numbers, counted, and judged. A policy's failure is
raised as PolicyFailed; what is ours to mend as ConfinementFailed or WarmParentDied.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Final, NoReturn, Self

import numpy as np
import numpy.typing as npt

from ..policy_error import ErrorKind, PolicyError, PolicyFailed
from . import frames
from .action import Action, ActionJudge
from .frames import (
    ACTION,
    ANSWER_HEADER_BYTES,
    BROKEN,
    CONFINED,
    FAILURE,
    READY,
    TEXT,
    Answer,
    FrameError,
    ObservationLayout,
    Setup,
)
from .limits import Limits
from .warm_parent import WarmParent
from .watch import Watch, Watched

_MAY_CLAIM: Final[frozenset[ErrorKind]] = frozenset(
    ("SYNTAX", "NO_CLASS", "EXCEPTION", "BAD_ACTION", "MEMORY", "ESCAPE_ATTEMPT", "BAD_SUMMARY")
)
"""Failures that only the process itself can know. Time and death are seen from outside."""

_ENDING_S: Final = 2.0
"""How long a process that closed its pipe may take to end by itself, so that its exit tells why."""


class ConfinementFailed(RuntimeError):
    """The kernel refused a step of confinement; no hostile code ran. Ours."""


class Cancelled(Exception):
    """The job was cancelled while the process ran. No failure of anybody."""


class PolicyProcess:
    """Close it, or use it as a context; `start` first."""

    def __init__(
        self, parent: WarmParent, watch: Watch, setup: Setup, limits: Limits, judge: ActionJudge
    ) -> None:
        self._watch = watch
        self._setup = setup
        self.judge = judge
        """Counts the actions out of bounds."""
        self._layout = ObservationLayout(setup.fields)
        self._answer_bytes = frames.answer_bytes(setup.action_bytes)
        self._exchanges = 0
        self._known: tuple[bytes, np.dtype[Any], tuple[int, ...], int] | None = None
        """Header of the last good action of a box without its number, and what it says."""
        self._forked = forked = parent.fork(setup.source)
        self._request_fd, self._answer_fd = forked.request_fd, forked.answer_fd
        self._watched = Watched(forked.pid, forked.pidfd, limits)
        self._open = True
        self._reaped = False
        self._trusted = True  # until the process said that it is confined
        watch.add(self._watched)

    @property
    def pid(self) -> int:
        """Process id, valid until `close`."""
        return self._watched.pid

    def start(self) -> None:
        """Confines, compiles, constructs. Raises PolicyFailed, Cancelled, ConfinementFailed."""
        self._watched.exchange = 1
        self._write(self._setup.encode())
        first = self._answer(0)
        self._trusted = False
        if first.status == BROKEN:
            reason = self._read(first.blob_bytes).decode("utf-8", "replace")
            raise ConfinementFailed(f"the policy process could not be confined: {reason}")
        if first.status != CONFINED:
            raise ConfinementFailed(f"the policy process began with status {first.status}")
        ready = self._answer(0)
        self._watched.exchange = 0
        if ready.status != READY:
            self._refuse(ready)
        self._watched.starting = False

    def begin_episode(self) -> None:
        """The episode's limits count from here (and from the process's start, if that was not called)."""
        self._watched.begin_episode()

    def check(self, observation: tuple[npt.NDArray[Any], ...]) -> None:
        """Raises TypeError if an observation is not what the setup said."""
        self._layout.check(observation)

    def act(self, observation: tuple[npt.NDArray[Any], ...]) -> Action:
        """The policy's answer, judged. Raises PolicyFailed, Cancelled."""
        self.ask(observation)
        return self.answer()

    def ask(self, observation: tuple[npt.NDArray[Any], ...]) -> None:
        """Shows an observation and does not wait: `answer` has to follow. Raises PolicyFailed, Cancelled."""
        self._exchanges = sequence = self._exchanges + 1
        self._watched.exchange = sequence + 1
        frame = self._layout.pack(sequence, observation)
        try:
            written = os.write(self._request_fd, frame)
        except BrokenPipeError:
            self._died()
        if written != len(frame):
            # A frame that a pipe does not take at once is cut when its reader ends meanwhile.
            self._write(frame[written:])

    def answer(self) -> Action:
        """The answer to the last `ask`, judged. Raises PolicyFailed, Cancelled."""
        data = os.read(self._answer_fd, self._answer_bytes)
        sequence = self._exchanges
        known = self._known
        if (
            known is not None
            and data[:ANSWER_HEADER_BYTES] == sequence.to_bytes(8, "little") + known[0]
            and len(data) == self._answer_bytes
        ):
            # The usual case: the same kind of action as before, with other numbers in it.
            self._watched.exchange = 0
            _, dtype, shape, size = known
            action = np.frombuffer(data, dtype, size, ANSWER_HEADER_BYTES).copy()
            return self.judge.judge_box(action if len(shape) == 1 else action.reshape(shape))
        answer = self._decoded(self._filled(data), sequence)
        if answer.status != ACTION:
            self._refuse(answer)
        self._watched.exchange = 0  # not before: half an answer is none
        judged = self.judge.judge(answer)
        if not isinstance(judged, int):
            self._known = (data[8:ANSWER_HEADER_BYTES], answer.dtype, answer.shape, judged.size)
        return judged

    def summarize(self, trajectory: Iterable[tuple[npt.NDArray[Any], ...]]) -> str:
        """Shows a whole trajectory and returns what the program said of it. Raises PolicyFailed,
        Cancelled."""
        self._watched.exchange = 2
        for observation in trajectory:
            self._exchanges += 1
            self._write(self._layout.pack(self._exchanges, observation))
        self._exchanges += 1
        self._write(self._layout.pack_end(self._exchanges))
        answer = self._answer(self._exchanges)
        if answer.status != TEXT:
            self._refuse(answer)
        data = self._read(answer.blob_bytes)
        self._watched.exchange = 0
        if len(data) > self._setup.text_bytes:
            self._refuse_frame(FrameError(f"a text of {len(data)} bytes"))
        return data.decode("utf-8", "replace")

    def close(self) -> None:
        """Kills and leaves the process; may be called twice."""
        if not self._open:
            return
        self._open = False
        self._watched.kill(None)
        self._watch.remove(self._watched)
        if not self._reaped:
            self._forked.disown()
        for fd in (self._request_fd, self._answer_fd, self._watched.pidfd):
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(self._request_fd, data) :]
        except BrokenPipeError:
            self._died(self._last_words())

    def _last_words(self) -> Answer | None:
        """The failure that a process left in its pipe before it ended (while we were still writing)."""
        data = b""
        while len(data) < self._answer_bytes:
            more = os.read(self._answer_fd, self._answer_bytes - len(data))
            if not more:
                return None
            data += more
        try:
            answer = frames.unpack_answer(data, self._setup.action_bytes)
        except FrameError as error:
            self._refuse_frame(error)
        return answer if answer.status == FAILURE else None

    def _answer(self, sequence: int) -> Answer:
        return self._decoded(self._read(self._answer_bytes), sequence)

    def _read(self, size: int) -> bytes:
        return self._filled(b"", size)

    def _filled(self, data: bytes, size: int | None = None) -> bytes:
        """`data` and what is missing of `size` bytes (an answer frame)."""
        size = self._answer_bytes if size is None else size
        while len(data) < size:
            more = os.read(self._answer_fd, size - len(data))
            if not more:
                self._died()
            data += more
        return data

    def _decoded(self, data: bytes, sequence: int) -> Answer:
        try:
            answer = frames.unpack_answer(data, self._setup.action_bytes)
            if answer.sequence != sequence:
                raise FrameError(f"numbered {answer.sequence}, {sequence} was due")
        except FrameError as error:
            self._refuse_frame(error)
        return answer

    def _refuse(self, answer: Answer) -> NoReturn:
        """Raises what an answer other than the one that was due means."""
        if answer.status != FAILURE:
            self._refuse_frame(FrameError(f"status {answer.status} is not due"))
        try:
            error = frames.unpack_failure(self._read(answer.blob_bytes), _MAY_CLAIM)
        except FrameError as forged:
            self._refuse_frame(forged)
        raise PolicyFailed(error)

    def _refuse_frame(self, error: FrameError) -> NoReturn:
        raise PolicyFailed(
            PolicyError("ESCAPE_ATTEMPT", f"the policy's process sent a forged frame: {error}")
        )

    def _died(self, last_words: Answer | None = None) -> NoReturn:
        """Raises why the pipe ended."""
        if last_words is not None:
            self._refuse(last_words)
        poll = select.poll()
        poll.register(self._watched.pidfd, select.POLLIN)
        ended = bool(poll.poll(_ENDING_S * 1000))
        if self._watched.verdict is not None:
            raise PolicyFailed(self._watched.verdict)
        if self._watch.cancelled:
            raise Cancelled
        if not ended:
            raise PolicyFailed(
                PolicyError("KILLED", "the policy's process closed its pipe and went on running")
            )
        self._reaped = True
        error = _told_by_status(self._forked.reap().status)
        if self._trusted:
            raise ConfinementFailed(f"before any of the policy's code ran: {error.message}")
        raise PolicyFailed(error)


def _told_by_status(status: int) -> PolicyError:
    if not os.WIFSIGNALED(status):
        return PolicyError(
            "KILLED", f"the policy's process ended itself with exit code {os.WEXITSTATUS(status)}"
        )
    number = os.WTERMSIG(status)
    name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
    if number == signal.SIGSYS:
        return PolicyError("ESCAPE_ATTEMPT", "the policy made a system call that the jail forbids")
    if number == signal.SIGXCPU:
        return PolicyError("CPU", "the policy used all of its CPU time")
    return PolicyError("KILLED", f"the policy's process was killed by {name}")
