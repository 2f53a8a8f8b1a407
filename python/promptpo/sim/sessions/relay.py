"""The gRPC method Step as a relay: the bytes of the stream pass to and from the shard's socket as they are.

Only the first message is looked at, to find the shard, and the last one, which becomes the call's status. Two
threads a stream: one carries requests, the call's own carries answers.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Final

import grpc

from promptpo.sim.errors import SimError
from promptpo.sim.server.status import Aborted, abort
from promptpo.sim.sessions.door import opening_of
from promptpo.sim.sessions.frames import FrameReader, framed
from promptpo.sim.sessions.registry import Sessions
from promptpo.sim.sessions.status import ERROR_TAG, error_of
from promptpo.sim.v1 import sim_pb2_grpc

_MAX_STREAMS: Final = 4096
"""One thread a stream, which only waits; as many as a sidecar has environments at most."""


class Relay:
    """Serves Step."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        # Read by gRPC: streams live for hours and must not take the threads that other methods need.
        self.experimental_thread_pool: Final = futures.ThreadPoolExecutor(_MAX_STREAMS, "step answers")

    def __call__(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        """One stream, of serialized StepRequest and StepResponse."""
        first = next(requests, None)
        if first is None:
            return
        try:
            session_id = opening_of(first).session_id
            end = self._connected(session_id)
        except SimError as error:
            abort(context, error)
        # When the client leaves, both threads wake.
        if not context.add_callback(lambda: _hang_up(end)):
            end.close()
            return
        over = threading.Event()
        pumped = (first, requests, end, over)
        threading.Thread(target=_pump, args=pumped, name="step requests", daemon=True).start()
        try:
            answers = FrameReader(end)
            while (answer := answers.read()) is not None:
                if answer[0] == ERROR_TAG and (ended := error_of(answer)) is not None:
                    abort(context, ended)
                yield answer
            if not over.is_set() and context.is_active():
                abort(context, self._lost(session_id))
        finally:
            _hang_up(end)
            end.close()

    def _connected(self, session_id: str) -> socket.socket:
        path = self._sessions.find(session_id).path
        end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            end.connect(path)
        except OSError:
            end.close()
            raise self._lost(session_id) from None
        return end

    def _lost(self, session_id: str) -> SimError:
        """Why a shard's socket ended without a word."""
        try:
            self._sessions.find(session_id)
        except SimError as error:
            return error
        return SimError("SIDECAR_DIED", "the environments' process was lost; open the shard again to go on")


def serve_with_relay(servicer: sim_pb2_grpc.SimulatorServicer, server: grpc.Server, relay: Relay) -> None:
    """Adds the servicer's methods to the server, with the relay's in place of its Step."""
    _Adding(servicer, server, relay, lambda _: True)


def serve_sessions_only(servicer: sim_pb2_grpc.SimulatorServicer, server: grpc.Server, relay: Relay) -> None:
    """Adds only what whoever knows a session's token or id may ask for: no policy is run for them."""
    _Adding(servicer, server, relay, _OF_SESSIONS.__contains__)


_OF_SESSIONS: Final = ("Step", "RenewSession", "CloseSession")


class _Adding:
    """Stands for the server while methods are added to it."""

    def __init__(
        self,
        servicer: sim_pb2_grpc.SimulatorServicer,
        server: grpc.Server,
        relay: Relay,
        offered: Callable[[str], bool],
    ) -> None:
        self._server = server
        self._relay = relay
        self._offered = offered
        sim_pb2_grpc.add_SimulatorServicer_to_server(servicer, self)  # type: ignore[arg-type]

    def add_generic_rpc_handlers(self, _handlers: object) -> None:
        """Holds the same methods as the call below."""

    def add_registered_method_handlers(
        self, service: str, handlers: dict[str, grpc.RpcMethodHandler[object, object]]
    ) -> None:
        # No codec on either side: bytes.
        raw = {**handlers, "Step": grpc.stream_stream_rpc_method_handler(self._relay)}
        offered = {name: handler for name, handler in raw.items() if self._offered(name)}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, offered),))
        self._server.add_registered_method_handlers(service, offered)


def _pump(first: bytes, requests: Iterator[bytes], end: socket.socket, over: threading.Event) -> None:
    """Carries requests until the client says no more, or is gone; then `over` is set."""
    try:
        end.sendall(framed(first))
        for request in requests:
            end.sendall(framed(request))
    except (OSError, grpc.RpcError, Aborted):
        pass  # one side is gone; the other one is told by the call's own thread
    except Exception:  # gRPC raises a bare Exception from an iterator whose call was cancelled
        pass
    over.set()
    _end_requests(end)


def _end_requests(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_WR)


def _hang_up(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
