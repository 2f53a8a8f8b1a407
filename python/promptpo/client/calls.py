"""Single attempts and retried calls on the fleet's stubs; every failure comes out as a FleetError."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

import grpc
from google.protobuf.message import Message

from promptpo.client.connection import Connection, Part
from promptpo.client.errors import FleetError, from_call
from promptpo.client.retrying import retrying

Request = TypeVar("Request", bound=Message)
Answer = TypeVar("Answer")

_UNAVAILABLE: Final[Mapping[Part, str]] = {
    "gateway": "GATEWAY_UNAVAILABLE",
    "rollout": "ROLLOUT_UNAVAILABLE",
    "optimizer": "OPTIMIZER_UNAVAILABLE",
}


@dataclass(frozen=True)
class Calls:
    """How a client calls: on which connection, with which limits."""

    connection: Connection
    timeout_s: float
    """Of short calls, all attempts together."""
    patience_s: float
    """Seconds of pauses while the fleet is away."""

    def short(
        self, part: Part, method: grpc.UnaryUnaryMultiCallable[Request, Answer], request: Request
    ) -> Answer:
        """A call that reads, or that its service knows again; within the client's own timeout."""
        return self.unary(part, method, request, self.timeout_s)

    def unary(
        self,
        part: Part,
        method: grpc.UnaryUnaryMultiCallable[Request, Answer],
        request: Request,
        timeout_s: float | None,
    ) -> Answer:
        """The same with a timeout of its own; None is none."""

        def attempt(left_s: float | None) -> Answer:
            try:
                return method(request, timeout=left_s, metadata=self.connection.metadata)
            except grpc.RpcError as error:
                raise self._error(error, part, request) from error

        return retrying(attempt, timeout_s=timeout_s, patience_s=self.patience_s)

    def stream(
        self,
        part: Part,
        method: grpc.UnaryStreamMultiCallable[Request, Answer],
        request: Request,
        timeout_s: float | None,
    ) -> Iterator[Answer]:
        """One attempt at a stream. Closing the iterator cancels the call."""
        call = method(request, timeout=timeout_s, metadata=self.connection.metadata)
        try:
            yield from call
        except grpc.RpcError as error:
            raise self._error(error, part, request) from error
        finally:
            call.cancel()

    def _error(self, error: grpc.RpcError, part: Part, request: Message) -> FleetError:
        name = type(request).__name__.removesuffix("Request")
        what = f"{name} of the {part} at {self.connection.target(part)}"
        return from_call(error, _UNAVAILABLE[part], what)
