"""The keeper of one session's shard: starts its process, replaces it when it dies, ends it.

One thread a session: the kernel ends a process when the thread that started it ends, and this one lives as
long as the session. A process that dies again and again without having answered anything is not replaced.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from time import monotonic
from typing import Final

import promptpo
from promptpo.sim.errors import SimError
from promptpo.sim.logs import log
from promptpo.sim.numeric_environment import NUMERIC_ENVIRONMENT
from promptpo.sim.sessions.control import Control, Word, seconds, seconds_of
from promptpo.sim.sessions.lease import HANGS_AFTER_S, HUNG_STATUS
from promptpo.sim.v1 import sim_pb2

MAX_FRUITLESS_DEATHS: Final = 3
"""Deaths in a row without an answer in between, after which the session ends."""

_ANSWER_S: Final = 10.0
"""A process answers its keeper from a thread of its own, whatever the environments do."""
_GOODBYE_S: Final = 2.0
"""To tell the client and end; then it is killed."""


class _State(Enum):
    STARTING = 1
    READY = 2
    ENDED = 3


class Keeper:
    """One shard, from its opening to its end."""

    def __init__(
        self,
        request: sim_pb2.OpenSessionRequest,
        listener: socket.socket,
        on_end: Callable[[Keeper], None],
    ) -> None:
        self.request: Final = request
        self.path: Final = str(listener.getsockname())
        """Of the unix socket; the same for the session's whole life."""
        self._listener = listener
        self._on_end = on_end
        self._state = threading.Condition()
        self._is = _State.STARTING
        self._opened: sim_pb2.ShardOpened | None = None
        self._why: SimError | None = None
        self._closing: SimError | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._control: Control | None = None
        self._asking = threading.Lock()
        self._answers: queue.SimpleQueue[tuple[Word, bytes]] = queue.SimpleQueue()
        self._last_report = _empty_report(request)
        self._earlier = _empty_report(request)
        """What the processes before this one had counted when they last reported."""
        self._thread = threading.Thread(target=self._keep, name="session", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """Of the present process."""
        process = self._process
        return None if process is None else process.pid

    @property
    def ended(self) -> SimError | None:
        """Why nobody can step here any more; None while they can."""
        return self._why

    def opened(self) -> sim_pb2.ShardOpened:
        """Waits until the environments are made. Raises SimError if they were not."""
        with self._state:
            self._state.wait_for(lambda: self._opened is not None or self._is is _State.ENDED)
            if self._why is not None:
                raise self._why
            assert self._opened is not None
            return self._opened

    def abandon(self) -> None:
        """Whoever opened the session left: if it is not open by then, nobody knows of it, and it ends."""
        with self._state:
            if self._opened is not None or self._is is _State.ENDED:
                return
            self._closing = self._closing or SimError("CANCELLED", "the caller that opened it went away")
            process = self._process
        if process is not None:
            process.kill()

    def renew(self, for_s: float) -> float | None:
        """Seconds that the lease now lasts; None if the session ended or does not answer."""
        answer = self._ask(Word.RENEW, seconds(for_s), Word.RENEWED)
        return None if answer is None else seconds_of(answer)

    def report(self) -> sim_pb2.SessionReport:
        """The latest numbers; those of the last time where the process does not answer."""
        answer = self._ask(Word.REPORT, b"", Word.REPORTED)
        with self._state:
            if answer is not None:
                self._last_report = sim_pb2.SessionReport.FromString(answer)
            report = sim_pb2.SessionReport()
            report.CopyFrom(self._last_report)
            if answer is None:
                report.attached = False
                del report.step_seconds[:]
            _add(report, self._earlier)
            return report

    def close(self, why: SimError) -> None:
        """Ends the session and returns when its process is gone; may be called twice."""
        with self._state:
            self._closing = self._closing or why
            control, process = self._control, self._process
            says = self._is is _State.READY
        if says and control is not None and control.say(Word.CLOSE, self._closing.encode()):
            self._thread.join(_GOODBYE_S)
        if process is not None:
            process.kill()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _keep(self) -> None:
        cause, lives, fruitless = self.request.cause, int(bool(self.request.cause)), 0
        why = SimError("INTERNAL", "a fault of the sidecar; its log has the cause")
        try:
            while True:
                ended, progressed = self._live(cause, lives)
                if ended is not None:
                    why = ended
                    return
                fruitless = 1 if progressed else fruitless + 1
                cause = self._death()
                log("error", "a session's process was lost", session=self.request.session_id, cause=cause)
                if self._opened is None:
                    why = SimError("SIMULATOR_FAILED", f"{self.request.environment} cannot be built: {cause}")
                    return
                if fruitless >= MAX_FRUITLESS_DEATHS:
                    again = f"{fruitless} times in a row without a step in between"
                    why = SimError("SIMULATOR_FAILED", f"{cause}, {again}; the session is given up")
                    return
                lives += 1
        except Exception as error:
            log("error", "a session's keeper failed", error=error, session=self.request.session_id)
        finally:
            self._end(why)

    def _live(self, cause: str, lives: int) -> tuple[SimError | None, bool]:
        """One process, to its end: why the session ended with it (None: it died), whether it answered any
        request."""
        control = self._start(lives)
        request = sim_pb2.OpenSessionRequest()
        request.CopyFrom(self.request)
        request.cause = cause
        control.say(Word.SETTINGS, request.SerializeToString())
        ended: SimError | None = None
        progressed = False
        while (heard := control.hear()) is not None:
            word, payload = heard
            if word is Word.READY:
                with self._state:
                    self._opened = sim_pb2.ShardOpened.FromString(payload)
                    self._is = _State.READY
                    self._state.notify_all()
            elif word is Word.PROGRESS:
                progressed = True
            elif word in (Word.FAILED, Word.ENDED):
                ended = SimError.decode(payload)
            else:
                self._answers.put(heard)
        with self._state:
            self._is = _State.STARTING
            self._earlier = _added(self._earlier, self._last_report)
            self._last_report = _empty_report(self.request)
            return self._closing or ended, progressed

    def _start(self, lives: int) -> Control:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        package_root = str(Path(promptpo.__file__).resolve().parent.parent)
        search_path = os.pathsep.join(filter(None, (package_root, os.environ.get("PYTHONPATH"))))
        numbers = (theirs.fileno(), self._listener.fileno(), lives, os.getpid())
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "promptpo.sim.sessions", *map(str, numbers)],
                env={**os.environ, **NUMERIC_ENVIRONMENT, "PYTHONPATH": search_path},
                pass_fds=(theirs.fileno(), self._listener.fileno()),
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr.fileno(),
            )
        with self._state:
            self._process, self._control = process, Control(ours)
            if self._closing is not None:
                process.kill()
            return self._control

    def _death(self) -> str:
        """How the process ended, in words."""
        assert self._process is not None
        status = self._process.wait()
        if status == HUNG_STATUS:
            return f"a step took more than {HANGS_AFTER_S:.0f} s"
        if status < 0:
            with contextlib.suppress(ValueError):
                return f"the environments' process was killed by {signal.Signals(-status).name}"
        return f"the environments' process ended with status {status}"

    def _ask(self, word: Word, payload: bytes, answer: Word) -> bytes | None:
        """Says something and waits for the answer; None if there is none."""
        deadline = monotonic() + _ANSWER_S
        with self._asking:
            with self._state:
                self._state.wait_for(lambda: self._is is not _State.STARTING, _ANSWER_S)
                control = self._control if self._is is _State.READY else None
            while not self._answers.empty():
                self._answers.get()
            if control is None or not control.say(word, payload):
                return None
            while (left := deadline - monotonic()) > 0:
                try:
                    heard = self._answers.get(timeout=min(left, 0.2))
                except queue.Empty:
                    if self._control is not control or self._is is not _State.READY:
                        return None
                    continue
                if heard[0] is answer:
                    return heard[1]
        return None

    def _end(self, why: SimError) -> None:
        process, control = self._process, self._control
        if process is not None:
            process.kill()
            process.wait()
        if control is not None:
            control.close()
        self._listener.close()
        Path(self.path).unlink(missing_ok=True)
        with self._state:
            self._why = why
            self._is = _State.ENDED
            self._state.notify_all()
        self._on_end(self)


def _empty_report(request: sim_pb2.OpenSessionRequest) -> sim_pb2.SessionReport:
    return sim_pb2.SessionReport(
        session_id=request.session_id,
        environment=request.environment,
        environment_count=request.environment_count,
    )


def _add(report: sim_pb2.SessionReport, more: sim_pb2.SessionReport) -> None:
    report.step_count += more.step_count
    report.episode_count += more.episode_count
    report.death_count += more.death_count


def _added(one: sim_pb2.SessionReport, other: sim_pb2.SessionReport) -> sim_pb2.SessionReport:
    total = sim_pb2.SessionReport()
    total.CopyFrom(one)
    _add(total, other)
    return total
