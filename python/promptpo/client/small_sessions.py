"""For tests: a rollout service and sidecars that hold sessions in this process and break when told to.

Environments are gymnasium's own, stepped by SyncVectorEnv. Shards keep their answers and are reached by
unix socket and by gRPC, as those of a real sidecar are. What a real fleet does is tested against a real one
(real_fleet).
"""

# ruff: noqa: ARG002, N802 - the signatures are grpc's

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from queue import SimpleQueue
from typing import Final, Self

import grpc
from google.rpc import status_pb2

from promptpo.client.small_fleet import fail
from promptpo.client.small_shard import Cut, SmallShard
from promptpo.rollout.v1 import rollout_pb2, rollout_pb2_grpc
from promptpo.sim.v1 import sim_pb2, sim_pb2_grpc


class SmallSessions:
    """The service and its sidecars. `address` is that of the service and of every sidecar."""

    def __init__(self, shard_count: int = 1, unix: bool = True) -> None:
        self.shard_count: Final = shard_count
        self.orders: list[tuple[str, int]] = []
        """What is to happen next: ("cut before" | "cut after" | "refuse", step); each once."""
        self.requests: list[tuple[str, int]] = []
        """Kinds and steps that arrived at shards."""
        self.created: list[rollout_pb2.CreateEnvSessionRequest] = []
        self.renewed: SimpleQueue[str] = SimpleQueue()
        self.closed: SimpleQueue[str] = SimpleQueue()
        self.sessions: dict[str, rollout_pb2.EnvSession] = {}
        self.shards: dict[str, SmallShard] = {}
        """By place: the path of the socket where there is one, else session and number."""
        self._folder: Final = tempfile.TemporaryDirectory(prefix="promptpo-small-")
        self.shards_have_sockets: Final = unix
        self._listeners: Final[list[socket.socket]] = []
        self._server: Final = grpc.server(futures.ThreadPoolExecutor(32))
        rollout_pb2_grpc.add_RolloutServiceServicer_to_server(_Service(self), self._server)  # type: ignore[abstract]
        sim_pb2_grpc.add_SimulatorServicer_to_server(_Sidecar(self), self._server)  # type: ignore[abstract]
        self.address: Final = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def told(self, what: str, step: int) -> bool:
        """Whether that is to happen now; then it has happened."""
        if (what, step) not in self.orders:
            return False
        self.orders.remove((what, step))
        return True

    def place(self, session: rollout_pb2.EnvSession, number: int, count: int, cause: str = "") -> str:
        """Makes a shard; its unix socket, or an empty string."""
        shard = SmallShard(self.told, self.requests, session, count, cause)
        if not self.shards_have_sockets:
            self.shards[session.id] = shard
            return ""
        path = str(Path(self._folder.name) / f"{len(self._listeners)}.sock")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(path)
        listener.listen()
        self._listeners.append(listener)
        self.shards[path] = shard
        threading.Thread(target=self._accept, args=(listener, path), daemon=True).start()
        return path

    def lose(self, session_id: str, number: int) -> None:
        """A shard's sidecar is gone; the next renewal places the shard anew."""
        session = self.sessions[session_id]
        self.shards.pop(session.shards[number].unix_socket or session_id)
        Path(session.shards[number].unix_socket).unlink(missing_ok=True)

    def stop(self) -> None:
        """Cuts everything."""
        self._server.stop(None).wait()
        for listener in self._listeners:
            listener.close()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _accept(self, listener: socket.socket, path: str) -> None:
        with contextlib.suppress(OSError):
            while True:
                end, _ = listener.accept()
                threading.Thread(target=self._talk, args=(end, path), daemon=True).start()

    def _talk(self, end: socket.socket, path: str) -> None:
        def send(response: sim_pb2.StepResponse) -> None:
            message = response.SerializeToString()
            frame = len(message).to_bytes(4, "little") + message
            # In two pieces: a reader must not count on whole messages.
            end.sendall(frame[: len(frame) // 2])
            end.sendall(frame[len(frame) // 2 :])

        stream = end.makefile("rb")

        def requests() -> Iterator[sim_pb2.StepRequest]:
            while length := stream.read(4):
                message = stream.read(int.from_bytes(length, "little"))
                if path not in self.shards:
                    return
                yield sim_pb2.StepRequest.FromString(message)

        with end, contextlib.suppress(OSError, StopIteration):
            try:
                self.shards[path].serve(requests(), send)
            except (Cut, KeyError):
                end.shutdown(socket.SHUT_RDWR)
            except (ValueError, PermissionError) as error:
                send(sim_pb2.StepResponse(error=_status(error)))


class _Service(rollout_pb2_grpc.RolloutServiceServicer):
    def __init__(self, fleet: SmallSessions) -> None:
        self.fleet = fleet

    def CreateEnvSession(
        self, request: rollout_pb2.CreateEnvSessionRequest, context: grpc.ServicerContext
    ) -> rollout_pb2.CreateEnvSessionResponse:
        fleet = self.fleet
        fleet.created.append(request)
        if request.environment == "full":
            fail(context, "QUOTA_EXHAUSTED", "8 of 8 environments are in use", retry_after_s=0)
        session = rollout_pb2.EnvSession(
            id=f"s-{len(fleet.sessions)}",
            token="secret",
            environment=request.environment,
            environment_count=request.environment_count,
            autoreset_mode=request.autoreset_mode,
            lease=request.lease,
        )
        fleet.sessions[session.id] = session
        first = 0
        for number in range(fleet.shard_count):
            whole, more = divmod(request.environment_count, fleet.shard_count)
            count = whole + (number < more)
            path = fleet.place(session, number, count)
            session.shards.add(
                target=fleet.address, unix_socket=path, first_index=first, environment_count=count
            )
            first += count
        return rollout_pb2.CreateEnvSessionResponse(session=session)

    def RenewEnvSession(
        self, request: rollout_pb2.RenewEnvSessionRequest, context: grpc.ServicerContext
    ) -> rollout_pb2.RenewEnvSessionResponse:
        fleet = self.fleet
        session = fleet.sessions.get(request.id)
        if session is None:
            fail(context, "UNKNOWN_SESSION", f"no session {request.id}: it has lapsed or was closed")
        for number, shard in enumerate(session.shards):
            if (shard.unix_socket or session.id) not in fleet.shards:
                shard.unix_socket = fleet.place(session, number, shard.environment_count, "its sidecar died")
        fleet.renewed.put(request.id)
        return rollout_pb2.RenewEnvSessionResponse(session=session)

    def CloseEnvSession(
        self, request: rollout_pb2.CloseEnvSessionRequest, context: grpc.ServicerContext
    ) -> rollout_pb2.CloseEnvSessionResponse:
        self.fleet.sessions.pop(request.id, None)
        self.fleet.closed.put(request.id)
        return rollout_pb2.CloseEnvSessionResponse()


class _Sidecar(sim_pb2_grpc.SimulatorServicer):
    def __init__(self, fleet: SmallSessions) -> None:
        self.fleet = fleet

    def Step(
        self, request_iterator: Iterator[sim_pb2.StepRequest], context: grpc.ServicerContext
    ) -> Iterator[sim_pb2.StepResponse]:
        opening = next(request_iterator)
        shard = self.fleet.shards.get(opening.open.session_id)
        if shard is None:
            fail(context, "UNKNOWN_SESSION", "no such session here")
        answers: SimpleQueue[sim_pb2.StepResponse | Exception | None] = SimpleQueue()

        def requests() -> Iterator[sim_pb2.StepRequest]:
            yield opening
            with contextlib.suppress(Exception):  # the stream's end
                yield from request_iterator

        def serve() -> None:
            try:
                shard.serve(requests(), answers.put)
                answers.put(None)
            except Exception as error:  # the stream's own thread tells it
                answers.put(error)

        threading.Thread(target=serve, daemon=True).start()
        while (answer := answers.get()) is not None:
            if isinstance(answer, Cut):
                context.abort(grpc.StatusCode.UNAVAILABLE, "cut")
            if isinstance(answer, Exception):
                reason = "UNAUTHENTICATED" if isinstance(answer, PermissionError) else "INVALID_ARGUMENT"
                fail(context, reason, str(answer))
            yield answer


def _status(error: Exception) -> status_pb2.Status:
    code = (
        grpc.StatusCode.UNAUTHENTICATED
        if isinstance(error, PermissionError)
        else grpc.StatusCode.INVALID_ARGUMENT
    )
    number: int = code.value[0]
    return status_pb2.Status(code=number, message=str(error))
