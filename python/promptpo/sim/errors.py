"""The reasons for which a call to the sidecar can fail, and the exception that carries one.

A copy of the rows that the sidecar uses of the one table in packages/service-kit (a test compares them). What
a policy does wrong is no error of this kind: it is a `PolicyError` within a result. Knows no grpc.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

DOMAIN: Final = "promptpo"
"""`google.rpc.ErrorInfo.domain` of every error."""

Reason: TypeAlias = Literal[
    "ALREADY_EXISTS",
    "CANCELLED",
    "CANNOT_CONFINE",
    "CONFLICT",
    "INTERNAL",
    "INVALID_ARGUMENT",
    "INVALID_SEEDS",
    "MALFORMED_MESSAGE",
    "MESSAGE_TOO_LARGE",
    "POLICY_TOO_LARGE",
    "RENDERING_UNAVAILABLE",
    "SHUTTING_DOWN",
    "SIDECAR_DIED",
    "SIMULATOR_FAILED",
    "UNAUTHENTICATED",
    "UNIMPLEMENTED",
    "UNKNOWN_ENVIRONMENT",
    "UNKNOWN_SESSION",
    "UNKNOWN_VARIANT",
    "VERSION_MISMATCH",
]


@dataclass(frozen=True)
class ReasonRow:
    """One row of the table."""

    code: str
    """Name of the gRPC status code."""
    retryable: bool
    """The same request may be sent again later and can succeed without anybody changing anything."""


REASONS: Final[Mapping[Reason, ReasonRow]] = {
    "ALREADY_EXISTS": ReasonRow("ALREADY_EXISTS", False),
    "CANCELLED": ReasonRow("CANCELLED", False),
    "CANNOT_CONFINE": ReasonRow("FAILED_PRECONDITION", False),
    "CONFLICT": ReasonRow("ABORTED", True),
    "INTERNAL": ReasonRow("INTERNAL", False),
    "INVALID_ARGUMENT": ReasonRow("INVALID_ARGUMENT", False),
    "INVALID_SEEDS": ReasonRow("INVALID_ARGUMENT", False),
    "MALFORMED_MESSAGE": ReasonRow("INVALID_ARGUMENT", False),
    "MESSAGE_TOO_LARGE": ReasonRow("RESOURCE_EXHAUSTED", False),
    "POLICY_TOO_LARGE": ReasonRow("INVALID_ARGUMENT", False),
    "RENDERING_UNAVAILABLE": ReasonRow("FAILED_PRECONDITION", False),
    "SHUTTING_DOWN": ReasonRow("UNAVAILABLE", True),
    "SIDECAR_DIED": ReasonRow("UNAVAILABLE", True),
    "SIMULATOR_FAILED": ReasonRow("INTERNAL", False),
    "UNAUTHENTICATED": ReasonRow("UNAUTHENTICATED", False),
    "UNIMPLEMENTED": ReasonRow("UNIMPLEMENTED", False),
    "UNKNOWN_ENVIRONMENT": ReasonRow("NOT_FOUND", False),
    "UNKNOWN_SESSION": ReasonRow("NOT_FOUND", False),
    "UNKNOWN_VARIANT": ReasonRow("NOT_FOUND", False),
    "VERSION_MISMATCH": ReasonRow("FAILED_PRECONDITION", False),
}

_KNOWN: Final[frozenset[Reason]] = frozenset(get_args(Reason))


class SimError(Exception):
    """A call that ends with an error: the caller's fault or ours, by its reason."""

    def __init__(self, reason: Reason, message: str, metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.reason: Reason = reason
        self.message = message
        """What, where, why, and what next."""
        self.metadata: Mapping[str, str] = {} if metadata is None else metadata
        """Facts of the error for programs; `field` names the field of a bad request."""

    def encode(self) -> bytes:
        """For the way from worker to server."""
        return json.dumps([self.reason, self.message, dict(self.metadata)]).encode()

    @staticmethod
    def decode(data: bytes) -> SimError:
        """From `encode`."""
        reason, message, metadata = json.loads(data)
        return SimError(decoded_reason(reason), message, metadata)


def decoded_reason(reason: str) -> Reason:
    """A reason that came as text; INTERNAL for one that is not in the table."""
    return next((known for known in _KNOWN if known == reason), "INTERNAL")


def invalid(field: str, problem: str) -> SimError:
    """A field of the request has a value that is never allowed."""
    return SimError("INVALID_ARGUMENT", f"{field}: {problem}", {"field": field})
