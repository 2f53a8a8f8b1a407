"""A shard's messages over the sidecar's Step stream, for clients on other machines.

Waits in the caller's thread. Only a client that asks for a descriptor (`recv` over several shards) gets a
thread that takes answers in, since grpc has none to offer.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from queue import SimpleQueue
from typing import Final

import grpc

from promptpo.client.connection import SIDECAR_OPTIONS
from promptpo.client.errors import FleetError, from_call
from promptpo.sim.v1 import sim_pb2

_STEP: Final = "/promptpo.sim.v1.Simulator/Step"


class GrpcLink:
    """A Step stream of the sidecar at `target` (`host:port`)."""

    def __init__(self, target: str) -> None:
        self._what: Final = f"Step of the sidecar at {target}"
        self._channel: Final = grpc.insecure_channel(target, options=SIDECAR_OPTIONS)
        self._requests: Final[SimpleQueue[bytes | None]] = SimpleQueue()
        step: grpc.StreamStreamMultiCallable[bytes, sim_pb2.StepResponse] = self._channel.stream_stream(
            _STEP, request_serializer=None, response_deserializer=sim_pb2.StepResponse.FromString
        )
        self._call: Final = step(iter(self._requests.get, None))
        self._pump: _Pump | None = None

    def send(self, request: bytes) -> None:
        """Hands one message to the stream."""
        self._requests.put(request)

    def receive(self) -> sim_pb2.StepResponse:
        """Waits for the next message."""
        return self._next() if self._pump is None else self._pump.take()

    def fileno(self) -> int:
        """A pipe that holds a byte an answer."""
        if self._pump is None:
            self._pump = _Pump(self)
        return self._pump.readable

    def holds_answer(self) -> bool:
        """Whether an answer, or the stream's end, has been taken in."""
        return self._pump is not None and self._pump.holds_answer()

    def close(self) -> None:
        """Cancels the stream."""
        self._requests.put(None)
        self._call.cancel()
        self._channel.close()
        if self._pump is not None:
            self._pump.close()

    def _next(self) -> sim_pb2.StepResponse:
        try:
            return next(self._call)
        except StopIteration:
            raise FleetError("SIDECAR_UNAVAILABLE", f"{self._what}: the stream ended") from None
        except grpc.RpcError as error:
            failure = from_call(error, "SIDECAR_UNAVAILABLE", self._what)
            # A stream that its sidecar's death cut off is seen as cancelled too.
            cut = failure.reason == "CANCELLED"
            raise FleetError("SIDECAR_UNAVAILABLE", failure.message) if cut else failure from error


class _Pump:
    """Takes answers out of a stream as they come; a pipe holds a byte for each."""

    def __init__(self, link: GrpcLink) -> None:
        self.readable, self._writable = os.pipe()
        self._link: Final = link
        self._answers: Final[deque[sim_pb2.StepResponse | FleetError]] = deque()
        self._came: Final = threading.Condition()
        self._closed = False
        threading.Thread(target=self._run, name="promptpo-answers", daemon=True).start()

    def holds_answer(self) -> bool:
        return len(self._answers) > 0

    def take(self) -> sim_pb2.StepResponse:
        with self._came:
            self._came.wait_for(self.holds_answer)
            answer = self._answers[0]
            if isinstance(answer, FleetError):
                raise answer
            self._answers.popleft()
            if not self._closed:
                os.read(self.readable, 1)
        return answer

    def close(self) -> None:
        with self._came:
            if not self._closed:
                self._closed = True
                os.close(self.readable)
                os.close(self._writable)

    def _run(self) -> None:
        failed = False
        while not failed:
            answer: sim_pb2.StepResponse | FleetError
            try:
                answer = self._link._next()
            except FleetError as error:
                answer, failed = error, True
            with self._came:
                self._answers.append(answer)
                if not self._closed:
                    os.write(self._writable, b"\0")
                self._came.notify()
