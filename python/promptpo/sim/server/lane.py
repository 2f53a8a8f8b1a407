"""The lane: the server's end of the one worker process. Calls wait their turn; a dead worker is replaced.

Owns the worker's life. One thread starts workers and does one call after another (the kernel ends a worker
when the thread that started it ends, so that thread lives as long as the lane). A call is cancelled by a
message; a worker that does not answer it, or gives no sign of life, is killed.
"""

from __future__ import annotations

import os
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final

import promptpo
from promptpo.sim.errors import SimError
from promptpo.sim.link import Kind, Link, Message
from promptpo.sim.logs import log
from promptpo.sim.numeric_environment import NUMERIC_ENVIRONMENT

_CANCEL_WITHIN_S: Final = 10.0
"""A cancelled job ends with the killing of its policy; only a simulator in a long step takes as long as
this."""

_SILENCE_S: Final = 120.0
"""A worker speaks once a second while it works, unless a simulator is being built or hangs."""


class Call:
    """One job and what came of it so far. Read by one thread; cancelled by any."""

    def __init__(self, lane: Lane, kind: Kind, payload: bytes) -> None:
        self._lane = lane
        self.kind = kind
        self.payload = payload
        self.number = 0
        self.came: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self.cancelled = threading.Event()

    def cancel(self) -> None:
        """Ends the job soon; may be called twice, and after its end."""
        self.cancelled.set()
        self._lane.cancel(self)

    def messages(self, every_s: float) -> Iterator[Message | None]:
        """PART and ALIVE messages until the end; None after each `every_s` without one. Raises SimError."""
        while True:
            try:
                message = self.came.get(timeout=every_s)
            except queue.Empty:
                yield None
                continue
            if message.kind is Kind.END:
                return
            if message.kind is Kind.ERROR:
                raise SimError.decode(message.payload)
            yield message


class Lane:
    """Start it, call it, close it."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._waiting: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._state = threading.Lock()
        self._running: Call | None = None
        self._worker: subprocess.Popen[bytes] | None = None
        self._link: Link | None = None
        self._closed = False
        self.restart_count = -1  # the first one replaces none
        """Workers that died and were replaced."""
        self.policy_process_count = 0
        """Policy processes that jobs started, as far as the jobs lived to say so."""
        self._thread = threading.Thread(target=self._work, name="lane", daemon=True)
        self._thread.start()

    def call(self, kind: Kind, payload: bytes) -> Call:
        """Queues a job."""
        call = Call(self, kind, payload)
        self._waiting.put(call)
        return call

    def cancel(self, call: Call) -> None:
        """Tells the worker, if the job is with it; a job that still waits is dropped at its turn."""
        with self._state:
            if self._running is not call or self._link is None:
                return
            link = self._link
        try:
            link.send(Message(Kind.CANCEL, call.number))
        except OSError:
            return  # it is gone, and the lane's thread finds out

    def close(self) -> None:
        """Kills the worker and with it all that it started; may be called twice."""
        with self._state:
            self._closed = True
            worker = self._worker
        self._waiting.put(None)
        if worker is not None:
            worker.kill()
        self._thread.join()

    def _work(self) -> None:
        self._start()
        while (call := self._waiting.get()) is not None and not self._closed:
            if call.cancelled.is_set():
                call.came.put(Message(Kind.END, 0))
                continue
            call.number = next(self._numbers)
            with self._state:
                self._running = call
            try:
                end = self._do(call)
            finally:
                with self._state:
                    self._running = None
            call.came.put(end)
            if end.kind is Kind.ERROR and SimError.decode(end.payload).reason == "SIDECAR_DIED":
                self._start()  # the worker ends itself after this error; the next job must not meet it
        self._stop()

    def _do(self, call: Call) -> Message:
        """Runs a job to its last message, on a new worker if the old one is gone."""
        if self._worker is None or self._worker.poll() is not None:
            self._start()
        link = self._link
        assert link is not None
        try:
            link.send(Message(call.kind, call.number, call.payload))
        except OSError:
            return self._lost(call, "it was gone when the job came")
        if call.cancelled.is_set():
            self.cancel(call)  # it was asked for before there was anything to tell the worker
        while True:
            try:
                message = link.receive(_CANCEL_WITHIN_S if call.cancelled.is_set() else _SILENCE_S)
            except TimeoutError:
                return self._lost(call, "it gave no sign of life")
            if message is None:
                return self._lost(call, "it died")
            if message.job != call.number:
                continue
            if message.kind is Kind.COUNT:
                self.policy_process_count += int.from_bytes(message.payload, "little")
                continue
            if message.kind in (Kind.END, Kind.ERROR):
                return message
            call.came.put(message)

    def _start(self) -> None:
        """A new worker; the old one, if any, is dead or gets killed."""
        self._stop()
        self.restart_count += 1
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        package_root = str(Path(promptpo.__file__).resolve().parent.parent)
        search_path = os.pathsep.join(filter(None, (package_root, os.environ.get("PYTHONPATH"))))
        with theirs:
            worker = subprocess.Popen(
                [sys.executable, "-P", "-m", "promptpo.sim.worker", str(theirs.fileno()), str(os.getpid())],
                env={**os.environ, **NUMERIC_ENVIRONMENT, "PYTHONPATH": search_path},
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr.fileno(),
            )
        with self._state:
            self._worker, self._link = worker, Link(ours)
            if self._closed:
                worker.kill()

    def _stop(self) -> None:
        with self._state:
            worker, link = self._worker, self._link
            self._worker = self._link = None
        if link is not None:
            link.close()
        if worker is not None:
            worker.kill()
            worker.wait()

    def _lost(self, call: Call, how: str) -> Message:
        """The worker is gone in the middle of a job. The next one is started at once, for the next job."""
        worker = self._worker
        self._stop()
        status = None if worker is None else worker.returncode
        if self._closed:
            error = SimError("SHUTTING_DOWN", "the sidecar is shutting down")
        else:
            log("error", "the simulator worker was lost", how=how, status=status, job=call.kind.name)
            error = SimError(
                "SIMULATOR_FAILED",
                f"the simulator's process was lost ({how}, exit status {status}); a new one starts",
            )
            self._start()
        return Message(Kind.ERROR, call.number, error.encode())
