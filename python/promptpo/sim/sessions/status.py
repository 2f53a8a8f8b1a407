"""From a SimError to `google.rpc.Status`: ErrorInfo, and BadRequest where a field is bad. Knows no grpc."""

from __future__ import annotations

from typing import Final

from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from promptpo.sim.errors import DOMAIN, REASONS, SimError, decoded_reason
from promptpo.sim.v1 import sim_pb2

ERROR_TAG: Final = 0x22
"""First byte of a serialized StepResponse that holds an error: field 4, a message."""


def status_of(error: SimError) -> status_pb2.Status:
    """The status that a caller gets."""
    details: list[Message] = [
        error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=dict(error.metadata))
    ]
    field = error.metadata.get("field")
    if field is not None:
        violation = error_details_pb2.BadRequest.FieldViolation(field=field, description=error.message)
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    return status_pb2.Status(
        code=code_pb2.Code.Value(REASONS[error.reason].code),
        message=error.message,
        details=[_packed(detail) for detail in details],
    )


def error_answer(error: SimError) -> bytes:
    """The last message on a shard's socket."""
    return sim_pb2.StepResponse(error=status_of(error)).SerializeToString()


def error_of(answer: bytes) -> SimError | None:
    """What `error_answer` made; None for any other answer."""
    if answer[:1] != bytes((ERROR_TAG,)):
        return None
    status = sim_pb2.StepResponse.FromString(answer).error
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        if detail.Unpack(info):
            return SimError(decoded_reason(info.reason), status.message, dict(info.metadata))
    return SimError("INTERNAL", status.message)


def _packed(detail: Message) -> Any:
    packed = Any()
    packed.Pack(detail)
    return packed
