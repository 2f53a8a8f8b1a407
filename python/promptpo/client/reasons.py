"""The one table of reasons that errors of the fleet name, as a client needs it.

A copy of packages/service-kit's; a test compares the two. `retryable` is the rule that clients obey: the same
request may be sent again later and can succeed without anybody changing anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import grpc

DOMAIN: Final = "promptpo"
"""`google.rpc.ErrorInfo.domain` of every error of the fleet."""


@dataclass(frozen=True)
class ReasonRow:
    """One row of the table."""

    code: grpc.StatusCode
    """The status that a call ends with."""
    retryable: bool
    """Whether the same request may be sent again."""


REASONS: Final[Mapping[str, ReasonRow]] = {
    "ALREADY_EXISTS": ReasonRow(grpc.StatusCode.ALREADY_EXISTS, False),
    "ARTIFACTS_UNAVAILABLE": ReasonRow(grpc.StatusCode.UNAVAILABLE, True),
    "ARTIFACT_DAMAGED": ReasonRow(grpc.StatusCode.DATA_LOSS, False),
    "ARTIFACT_NOT_FOUND": ReasonRow(grpc.StatusCode.NOT_FOUND, False),
    "BUDGET_EXHAUSTED": ReasonRow(grpc.StatusCode.RESOURCE_EXHAUSTED, False),
    "CALL_FATE_UNKNOWN": ReasonRow(grpc.StatusCode.ABORTED, False),
    "CANCELLED": ReasonRow(grpc.StatusCode.CANCELLED, False),
    "CANNOT_CONFINE": ReasonRow(grpc.StatusCode.FAILED_PRECONDITION, False),
    "CONFLICT": ReasonRow(grpc.StatusCode.ABORTED, True),
    "DATABASE_UNAVAILABLE": ReasonRow(grpc.StatusCode.UNAVAILABLE, True),
    "DEADLINE_EXCEEDED": ReasonRow(grpc.StatusCode.DEADLINE_EXCEEDED, False),
    "FINGERPRINT_MISMATCH": ReasonRow(grpc.StatusCode.FAILED_PRECONDITION, False),
    "GATEWAY_UNAVAILABLE": ReasonRow(grpc.StatusCode.UNAVAILABLE, True),
    "INTERNAL": ReasonRow(grpc.StatusCode.INTERNAL, False),
    "INVALID_ARGUMENT": ReasonRow(grpc.StatusCode.INVALID_ARGUMENT, False),
    "INVALID_CURSOR": ReasonRow(grpc.StatusCode.INVALID_ARGUMENT, False),
    "INVALID_PAGE": ReasonRow(grpc.StatusCode.INVALID_ARGUMENT, False),
    "INVALID_SEEDS": ReasonRow(grpc.StatusCode.INVALID_ARGUMENT, False),
    "LEASE_LOST": ReasonRow(grpc.StatusCode.ABORTED, False),
    "MALFORMED_MESSAGE": ReasonRow(grpc.StatusCode.INVALID_ARGUMENT, False),
    "MESSAGE_TOO_LARGE": ReasonRow(grpc.StatusCode.RESOURCE_EXHAUSTED, False),
    "NOT_FOUND": ReasonRow(grpc.StatusCode.NOT_FOUND, False),
    "NO_PROVIDER": ReasonRow(grpc.StatusCode.FAILED_PRECONDITION, False),
    "NO_SIDECAR": ReasonRow(grpc.StatusCode.UNAVAILABLE, True),
    "OPTIMIZER_UNAVAILABLE": ReasonRow(grpc.StatusCode.UNAVAILABLE, True),
    "PERMISSION_DENIED": ReasonRow(grpc.StatusCode.PERMISSION_DENIED, False),
    "POLICY_TOO_LARGE": ReasonRow(grpc.StatusCode.INVALID_ARGUMENT, False),
    "PRECONDITION_FAILED": ReasonRow(grpc.StatusCode.FAILED_PRECONDITION, False),
    "PROMPT_TOO_LARGE": ReasonRow(grpc.StatusCode.INVALID_ARGUMENT, False),
    "PROVIDER_BAD_ANSWER": ReasonRow(grpc.StatusCode.UNAVAILABLE, True),
    "PROVIDER_RATE_LIMITED": ReasonRow(grpc.StatusCode.RESOURCE_EXHAUSTED, True),
    "PROVIDER_REFUSED": ReasonRow(grpc.StatusCode.FAILED_PRECONDITION, False),
    "PROVIDER_UNAVAILABLE": ReasonRow(grpc.StatusCode.UNAVAILABLE, True),
    "QUEUE_FULL": ReasonRow(grpc.StatusCode.RESOURCE_EXHAUSTED, True),
    "QUOTA_EXHAUSTED": ReasonRow(grpc.StatusCode.RESOURCE_EXHAUSTED, True),
    "RECORDING_DAMAGED": ReasonRow(grpc.StatusCode.FAILED_PRECONDITION, False),
    "RECORDING_MISS": ReasonRow(grpc.StatusCode.FAILED_PRECONDITION, False),
    "RENDERING_UNAVAILABLE": ReasonRow(grpc.StatusCode.FAILED_PRECONDITION, False),
    "REQUEST_ID_REUSED": ReasonRow(grpc.StatusCode.ALREADY_EXISTS, False),
    "REQUEST_IN_PROGRESS": ReasonRow(grpc.StatusCode.ABORTED, True),
    "ROLLOUT_UNAVAILABLE": ReasonRow(grpc.StatusCode.UNAVAILABLE, True),
    "RUN_NOT_ACTIVE": ReasonRow(grpc.StatusCode.FAILED_PRECONDITION, False),
    "RUN_NOT_PAUSED": ReasonRow(grpc.StatusCode.FAILED_PRECONDITION, False),
    "RUN_STILL_ACTIVE": ReasonRow(grpc.StatusCode.FAILED_PRECONDITION, False),
    "SERVICE_UNAVAILABLE": ReasonRow(grpc.StatusCode.UNAVAILABLE, True),
    "SHUTTING_DOWN": ReasonRow(grpc.StatusCode.UNAVAILABLE, True),
    "SIDECAR_DIED": ReasonRow(grpc.StatusCode.UNAVAILABLE, True),
    "SIDECAR_UNAVAILABLE": ReasonRow(grpc.StatusCode.UNAVAILABLE, True),
    "SIMULATOR_FAILED": ReasonRow(grpc.StatusCode.INTERNAL, False),
    "SLOW_READER": ReasonRow(grpc.StatusCode.ABORTED, True),
    "UNAUTHENTICATED": ReasonRow(grpc.StatusCode.UNAUTHENTICATED, False),
    "UNIMPLEMENTED": ReasonRow(grpc.StatusCode.UNIMPLEMENTED, False),
    "UNKNOWN_CANDIDATE": ReasonRow(grpc.StatusCode.NOT_FOUND, False),
    "UNKNOWN_COMPLETION": ReasonRow(grpc.StatusCode.NOT_FOUND, False),
    "UNKNOWN_ENVIRONMENT": ReasonRow(grpc.StatusCode.NOT_FOUND, False),
    "UNKNOWN_EVALUATION": ReasonRow(grpc.StatusCode.NOT_FOUND, False),
    "UNKNOWN_MODEL": ReasonRow(grpc.StatusCode.NOT_FOUND, False),
    "UNKNOWN_ROUND": ReasonRow(grpc.StatusCode.NOT_FOUND, False),
    "UNKNOWN_RUN": ReasonRow(grpc.StatusCode.NOT_FOUND, False),
    "UNKNOWN_SESSION": ReasonRow(grpc.StatusCode.NOT_FOUND, False),
    "UNKNOWN_VARIANT": ReasonRow(grpc.StatusCode.NOT_FOUND, False),
    "VERSION_MISMATCH": ReasonRow(grpc.StatusCode.FAILED_PRECONDITION, False),
}

_REASON_OF_CODE: Final[Mapping[grpc.StatusCode, str]] = {
    grpc.StatusCode.CANCELLED: "CANCELLED",
    grpc.StatusCode.INVALID_ARGUMENT: "INVALID_ARGUMENT",
    grpc.StatusCode.OUT_OF_RANGE: "INVALID_ARGUMENT",
    grpc.StatusCode.DEADLINE_EXCEEDED: "DEADLINE_EXCEEDED",
    grpc.StatusCode.NOT_FOUND: "NOT_FOUND",
    grpc.StatusCode.ALREADY_EXISTS: "ALREADY_EXISTS",
    grpc.StatusCode.PERMISSION_DENIED: "PERMISSION_DENIED",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "QUOTA_EXHAUSTED",
    grpc.StatusCode.FAILED_PRECONDITION: "PRECONDITION_FAILED",
    grpc.StatusCode.ABORTED: "CONFLICT",
    grpc.StatusCode.UNIMPLEMENTED: "UNIMPLEMENTED",
    grpc.StatusCode.UNAUTHENTICATED: "UNAUTHENTICATED",
}


def reason_of_code(code: grpc.StatusCode, unavailable: str) -> str:
    """The reason for a status without details: from grpc itself, a proxy, or a server that is not ours.

    `unavailable` names the part of the fleet that was called.
    """
    if code is grpc.StatusCode.UNAVAILABLE:
        return unavailable
    return _REASON_OF_CODE.get(code, "INTERNAL")
