"""From a SimError to the status that ends a call: `google.rpc.Status` with ErrorInfo, BadRequest where a
field is bad."""

from __future__ import annotations

from typing import NoReturn

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from promptpo.sim.errors import DOMAIN, REASONS, SimError


class Aborted(Exception):
    """A call was ended with a status; raised so that the method ends too."""


def abort(context: grpc.ServicerContext, error: SimError) -> NoReturn:
    """Ends the call. Raises Aborted."""
    row = REASONS[error.reason]
    code: grpc.StatusCode = grpc.StatusCode[row.code]
    details: list[Message] = [
        error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=dict(error.metadata))
    ]
    field = error.metadata.get("field")
    if field is not None:
        violation = error_details_pb2.BadRequest.FieldViolation(field=field, description=error.message)
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    status = status_pb2.Status(
        code=code.value[0], message=error.message, details=[_packed(d) for d in details]
    )
    try:
        context.abort_with_status(rpc_status.to_status(status))
    except Exception as raised:
        raise Aborted(error.message) from raised
    raise Aborted(error.message)


def _packed(detail: Message) -> Any:
    packed = Any()
    packed.Pack(detail)
    return packed
