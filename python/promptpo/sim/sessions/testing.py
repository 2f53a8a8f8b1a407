"""For tests: a shard's client over either transport, that counts steps and unpacks answers."""

from __future__ import annotations

import queue
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import grpc
import numpy as np
from google.protobuf.duration_pb2 import Duration

from promptpo.client.packing import BatchReader, BatchWriter
from promptpo.client.spaces import space_from_message
from promptpo.sim.errors import SimError
from promptpo.sim.server.testing import Sidecar, error_info
from promptpo.sim.sessions.frames import FrameReader, framed
from promptpo.sim.sessions.status import error_of
from promptpo.sim.v1 import sim_pb2

TOKEN = "a token of the session"
OPENED: list[Stream] = []
"""Every stream of the running test, which are cut at its end."""


class Stream(Protocol):
    """Raw messages to and from a shard. What ends the stream with a status is raised as SimError."""

    def send(self, message: bytes) -> None:
        """One message."""

    def receive(self) -> bytes | None:
        """The next one; None at a clean end."""

    def cut(self) -> None:
        """Breaks the stream."""


Connect: TypeAlias = Callable[[], Stream]


class UnixStream:
    """The framed unix socket."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        OPENED.append(self)
        self.socket.connect(path)
        self._reader = FrameReader(self.socket)

    def send(self, message: bytes) -> None:
        """One message."""
        self.socket.sendall(framed(message))

    def receive(self) -> bytes | None:
        """The next one."""
        answer = self._reader.read()
        if answer is not None and (error := error_of(answer)) is not None:
            raise error
        return answer

    def cut(self) -> None:
        """Closes the socket."""
        self.socket.close()


class GrpcStream:
    """The gRPC method Step."""

    def __init__(self, channel: grpc.Channel) -> None:
        OPENED.append(self)
        self._requests: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        step: Any = channel.stream_stream("/promptpo.sim.v1.Simulator/Step")
        self._call: Any = step(iter(self._requests.get, None))

    def send(self, message: bytes) -> None:
        """One message."""
        self._requests.put(message)

    def receive(self) -> bytes | None:
        """The next one."""
        try:
            return next(self._call, None)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:  # by gRPC itself, without our details
                raise SimError("MESSAGE_TOO_LARGE", error.details() or "") from None
            reason, metadata = error_info(error)
            raise SimError(reason, error.details() or "", metadata) from None  # type: ignore[arg-type]

    def cut(self) -> None:
        """Cancels the call."""
        self._requests.put(None)
        self._call.cancel()


@dataclass
class Outcome:
    """An unpacked transition."""

    step: int
    observation: Any
    rewards: np.ndarray[Any, Any]
    terminated: list[bool]
    truncated: list[bool]
    success: list[bool] | None
    final: Any
    causes: dict[int, str]
    raw: bytes = field(repr=False)


class ShardClient:
    """Opens streams one after another and goes on where the last one broke."""

    def __init__(self, session_id: str, connect: Connect, token: str = TOKEN) -> None:
        self.session_id = session_id
        self._connect = connect
        self._token = token
        self.next = 0
        self.last = -1

    def open(self, last_step: int | None = None) -> sim_pb2.ShardOpened:
        """A new stream."""
        self.stream = self._connect()
        opening = sim_pb2.OpenShard(
            session_id=self.session_id,
            token=self._token,
            last_step=self.last if last_step is None else last_step,
        )
        self.send(open=opening)
        opened = self.receive().opened
        self.n = opened.environment_count
        self.observation_space = space_from_message(opened.observation_space)
        self.action_space = space_from_message(opened.action_space)
        self._reader = BatchReader(self.observation_space, self.n)
        self._writer = BatchWriter(self.action_space, self.n)
        return opened

    def send(self, **kind: Any) -> None:  # noqa: ANN401
        """A request of the named kind."""
        self.stream.send(sim_pb2.StepRequest(**kind).SerializeToString())

    def receive(self) -> sim_pb2.StepResponse:
        """The next message; raises SimError where the stream ended."""
        answer = self.stream.receive()
        if answer is None:
            raise SimError("SIDECAR_DIED", "the stream ended")
        return sim_pb2.StepResponse.FromString(answer)

    def reset(self, indices: Sequence[int] = (), seeds: Sequence[int] = ()) -> Outcome:
        """Sends a reset and waits."""
        self.send_reset(indices, seeds)
        return self.outcome()

    def act(self, actions: Any, indices: Sequence[int] = ()) -> Outcome:  # noqa: ANN401
        """Sends actions and waits."""
        self.send_actions(actions, indices)
        return self.outcome()

    def send_reset(self, indices: Sequence[int] = (), seeds: Sequence[int] = ()) -> None:
        """Says a reset and does not wait."""
        self.send(reset=sim_pb2.Reset(step=self.next, indices=indices, seeds=seeds))
        self.next += 1

    def send_actions(self, actions: Any, indices: Sequence[int] = ()) -> None:  # noqa: ANN401
        """Says actions and does not wait."""
        data = self._writer.write(actions, len(indices) or self.n)
        self.send(actions=sim_pb2.Actions(step=self.next, indices=indices, data=data))
        self.next += 1

    def outcome(self) -> Outcome:
        """The next answer, unpacked."""
        raw = self.stream.receive()
        if raw is None:
            raise SimError("SIDECAR_DIED", "the stream ended")
        found = sim_pb2.StepResponse.FromString(raw).transition
        self.last = found.step
        rows = len(found.indices) or self.n
        return Outcome(
            found.step,
            self._reader.read(found.observations, rows),
            np.frombuffer(found.rewards, np.float64),
            [bool(byte) for byte in found.terminated],
            [bool(byte) for byte in found.truncated],
            [bool(byte) for byte in found.success] or None,
            self._reader.read(found.final_observations, rows) if found.final_observations else None,
            dict(found.causes),
            raw,
        )


def open_request(
    session_id: str,
    environment: str,
    n: int = 1,
    lease_s: float = 60.0,
    **more: Any,  # noqa: ANN401
) -> sim_pb2.OpenSessionRequest:
    """A request with the tests' token."""
    lease = Duration()
    lease.FromNanoseconds(round(lease_s * 1e9))
    options = more.pop("options", {})
    request = sim_pb2.OpenSessionRequest(
        session_id=session_id, token=TOKEN, environment=environment, environment_count=n, lease=lease, **more
    )
    request.options.update(options)
    return request


@contextmanager
def session(sidecar: Sidecar, request: sim_pb2.OpenSessionRequest) -> Iterator[sim_pb2.ShardOpened]:
    """An open session, closed at the end."""
    try:
        yield sidecar.stub.OpenSession(request).opened
    finally:
        sidecar.stub.CloseSession(sim_pb2.CloseSessionRequest(session_id=request.session_id))
