"""The one exception of this client, and how it comes out of a failed call.

What a policy does wrong is never one of these: it is the `error` of an episode.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from promptpo.client.reasons import DOMAIN, REASONS, reason_of_code

Detail = TypeVar("Detail", bound=Message)

_TRAILER: Final = "grpc-status-details-bin"
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}
_TOO_LARGE: Final = re.compile(r"larger than max|max message size|size larger than", re.IGNORECASE)


@dataclass(frozen=True)
class Violation:
    """A field of a request that is wrong."""

    field: str
    """Its path, such as `settings.rounds`."""
    description: str
    """What is expected."""


class FleetError(Exception):
    """A call that failed: what, where, why and what next in its text; the rest is for programs."""

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        code: grpc.StatusCode | None = None,
        metadata: Mapping[str, str] | None = None,
        retry_after_s: float | None = None,
        violations: tuple[Violation, ...] = (),
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        row = REASONS.get(reason, REASONS["INTERNAL"])
        self.reason: Final = reason
        """A name of the table in `reasons`."""
        self.message: Final = message
        self.code: Final[grpc.StatusCode] = row.code if code is None else code
        self.retryable: Final = row.retryable
        """The same request may be sent again later."""
        self.metadata: Final[Mapping[str, str]] = {} if metadata is None else metadata
        self.retry_after_s: Final = retry_after_s
        """When to try again, in seconds from now, by the server's wish."""
        self.violations: Final = violations
        self.request_id: Final = request_id
        """Under it the server's log has more."""

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


def from_call(error: grpc.RpcError, unavailable: str, what: str) -> FleetError:
    """The error of a failed call.

    `unavailable` is the reason where the peer does not answer; `what` says in words who was asked for what.
    """
    if not isinstance(error, grpc.Call):
        return FleetError("INTERNAL", f"{what}: {error}")
    code = error.code()
    details = error.details() or ""
    sent = _status_of(error)
    if sent is None:
        if code is grpc.StatusCode.RESOURCE_EXHAUSTED and _TOO_LARGE.search(details):
            return FleetError("MESSAGE_TOO_LARGE", f"{what}: {details}")
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return FleetError("DEADLINE_EXCEEDED", f"{what}: no answer in time")
        if code is grpc.StatusCode.UNAVAILABLE:
            return FleetError(unavailable, f"{what}: no answer ({details})")
        return FleetError(reason_of_code(code, unavailable), details or what, code=code)
    return _from_status(sent, code, details, unavailable)


def from_status(sent: status_pb2.Status, unavailable: str) -> FleetError:
    """The error that a peer told in a message, where no call failed."""
    code = _CODES.get(sent.code, grpc.StatusCode.UNKNOWN)
    return _from_status(sent, code, sent.message, unavailable)


def _status_of(call: grpc.Call) -> status_pb2.Status | None:
    """The details that came along; None where there are none of ours."""
    for key, value in call.trailing_metadata() or ():
        if key != _TRAILER or not isinstance(value, bytes):
            continue
        try:
            return status_pb2.Status.FromString(value)
        except DecodeError:
            return None
    return None


def _from_status(
    sent: status_pb2.Status, code: grpc.StatusCode, details: str, unavailable: str
) -> FleetError:
    reason = ""
    metadata: dict[str, str] = {}
    retry_after_s: float | None = None
    violations: tuple[Violation, ...] = ()
    request_id: str | None = None
    for packed in sent.details:
        info = _unpacked(packed, error_details_pb2.ErrorInfo())
        if info is not None and info.domain == DOMAIN:
            reason, metadata = info.reason, dict(info.metadata)
        retry = _unpacked(packed, error_details_pb2.RetryInfo())
        if retry is not None:
            retry_after_s = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
        bad = _unpacked(packed, error_details_pb2.BadRequest())
        if bad is not None:
            violations = tuple(Violation(one.field, one.description) for one in bad.field_violations)
        request = _unpacked(packed, error_details_pb2.RequestInfo())
        if request is not None:
            request_id = request.request_id
    if reason not in REASONS:
        # A reason that a newer server invented: its code still says what to do, its name is kept for people.
        metadata = {**metadata, "reason": reason} if reason else metadata
        reason = reason_of_code(code, unavailable)
    return FleetError(
        reason,
        sent.message or details,
        code=code,
        metadata=metadata,
        retry_after_s=retry_after_s,
        violations=violations,
        request_id=request_id,
    )


def _unpacked(packed: Any, into: Detail) -> Detail | None:
    return into if packed.Unpack(into) else None
