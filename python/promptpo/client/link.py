"""What carries a shard's messages: requests go out as bytes, answers come back parsed, in order.

Two carriers exist: a framed unix socket for the same machine (unix_link) and a gRPC stream (grpc_link).
Neither knows what the messages mean; what to do when one breaks is shard_stream's business.
"""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias

from promptpo.sim.v1 import sim_pb2

Transport: TypeAlias = Literal["auto", "unix", "grpc"]
"""`auto` takes the unix socket where it can be connected."""


class Link(Protocol):
    """One connection to one shard.

    Every method raises FleetError; one that is retryable says that the connection is broken and another one
    may do.
    """

    def send(self, request: bytes) -> None:
        """Sends a serialized StepRequest."""

    def receive(self) -> sim_pb2.StepResponse:
        """Waits for the next answer."""

    def fileno(self) -> int:
        """A descriptor that is readable when something came that `holds_answer` has not looked at."""

    def holds_answer(self) -> bool:
        """Whether `receive` would return, or raise, without waiting; takes in what has come."""

    def close(self) -> None:
        """Ends the connection; may be called twice."""
