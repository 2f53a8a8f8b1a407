"""The requests that run policies: who may begin, what is cancelled with whom, when all have ended.

Owns draining. A request makes its jobs one after another through `Running.start`; when its caller leaves, or
a drain's grace is over, the present job is cancelled and no further one begins.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import grpc

from promptpo.sim.errors import SimError
from promptpo.sim.link import Kind
from promptpo.sim.logs import log
from promptpo.sim.server.lane import Call, Lane
from promptpo.sim.server.status import Aborted, abort

_STOPPING_S: Final = 5.0
"""How long requests may take to end once their jobs were cancelled."""


class Running:
    """One request that runs policies."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._state = threading.Lock()
        self._call: Call | None = None
        self._why: SimError | None = None

    def start(self, kind: Kind, payload: bytes) -> Call:
        """The next job. Raises SimError once the request was stopped."""
        with self._state:
            if self._why is not None:
                raise self._why
            self._call = self._lane.call(kind, payload)
            return self._call

    def stop(self, why: SimError) -> None:
        """Ends the present job and makes the request end with `why`; the first reason stays."""
        with self._state:
            if self._why is None:
                self._why = why
            call = self._call
        if call is not None:
            call.cancel()

    def check(self) -> None:
        """Behind a job's end: raises SimError if it ended because the request was stopped."""
        with self._state:
            if self._why is not None:
                raise self._why


class Requests:
    """All requests that run policies."""

    def __init__(self, lane: Lane, refusal: SimError | None, on_drain: Callable[[], None]) -> None:
        self._lane = lane
        self.refusal = refusal
        """Why no policy may run here at all; None where they may."""
        self._on_drain = on_drain
        self._state = threading.Condition()
        self._draining = False
        self._running: set[Running] = set()

    @contextmanager
    def running(self, context: grpc.ServicerContext) -> Iterator[Running]:
        """A request's stay. Its errors end the call with their status."""
        request = Running(self._lane)
        try:
            self._enter(request)
        except SimError as error:
            abort(context, error)
        try:
            if not context.add_callback(lambda: request.stop(_left())):
                request.stop(_left())
            yield request
            request.check()
        except Aborted:
            raise
        except SimError as error:
            abort(context, error)
        except Exception as error:
            log("error", "a request failed", error=error)
            abort(context, SimError("INTERNAL", "a fault of the sidecar; its log has the cause"))
        finally:
            with self._state:
                self._running.discard(request)
                self._state.notify_all()

    def drain(self, grace_s: float) -> None:
        """Takes nothing new, lets what runs end, stops what is left after `grace_s`; may be called twice."""
        self._on_drain()
        with self._state:
            self._draining = True
            if self._state.wait_for(lambda: not self._running, grace_s):
                return
            left = tuple(self._running)
        for request in left:
            request.stop(SimError("SHUTTING_DOWN", "the sidecar was stopped before this was done"))
        with self._state:
            self._state.wait_for(lambda: not self._running, _STOPPING_S)

    def _enter(self, request: Running) -> None:
        if self.refusal is not None:
            raise self.refusal
        with self._state:
            if self._draining:
                raise SimError("SHUTTING_DOWN", "the sidecar drains and takes nothing new; ask another one")
            self._running.add(request)


def _left() -> SimError:
    return SimError("CANCELLED", "the caller went away")
