"""Ends a call with a SimError: its `google.rpc.Status` goes into the trailers."""

from __future__ import annotations

from typing import NoReturn

import grpc
from grpc_status import rpc_status

from promptpo.sim.errors import SimError
from promptpo.sim.sessions.status import status_of


class Aborted(Exception):
    """A call was ended with a status; raised so that the method ends too."""


def abort(context: grpc.ServicerContext, error: SimError) -> NoReturn:
    """Ends the call. Raises Aborted."""
    status = status_of(error)
    try:
        context.abort_with_status(rpc_status.to_status(status))
    except Exception as raised:
        raise Aborted(error.message) from raised
    raise Aborted(error.message)
