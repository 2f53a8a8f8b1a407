"""A shard's messages over its unix socket: each preceded by its length, four bytes, little-endian.

One system call sends a message, as a rule one receives the answer. Both directions never wait for each
other: while a send cannot go on, answers are taken in.
"""

from __future__ import annotations

import select
import socket
import struct
from typing import Final

from promptpo.client.connection import MAX_MESSAGE_BYTES
from promptpo.client.eager import EagerWait
from promptpo.client.errors import FleetError, from_status
from promptpo.sim.v1 import sim_pb2

_LENGTH: Final = struct.Struct("<I")
_EAGER_S: Final = 500e-6
"""A dozen small environments step in this time; of many or large ones the sleep is a small part."""

_FIRST_BUFFER_BYTES: Final = 1 << 16
"""Holds the answer of a typical shard; grows for larger ones."""


class UnixLink:
    """A connection to the socket at `path`. `eager`: answers are waited for awake, if there is a core for
    that."""

    def __init__(self, path: str, *, eager: bool) -> None:
        self._what: Final = f"the shard at {path}"
        self._buffer = bytearray(_FIRST_BUFFER_BYTES)
        self._begin = 0
        self._end = 0
        self._gone = False
        self._socket: Final = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            raise self._broken(error) from error
        self._eager: Final = EagerWait(self._socket.fileno(), _EAGER_S) if eager else None

    def send(self, request: bytes) -> None:
        """Sends one message."""
        frame = _LENGTH.pack(len(request)) + request
        try:
            sent = self._socket.send(frame, socket.MSG_DONTWAIT)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            raise self._broken(error) from error
        if sent < len(frame):
            self._send_rest(memoryview(frame)[sent:])

    def receive(self) -> sim_pb2.StepResponse:
        """Waits for the next message."""
        while (size := self._frame_size()) is None:
            if self._eager is not None:
                self._eager.wait()
            self._take_in(0)
        begin = self._begin + _LENGTH.size
        self._begin = begin + size
        # The parser copies what it keeps, and takes any buffer; its types say bytes.
        frame = memoryview(self._buffer)[begin : self._begin]
        response = sim_pb2.StepResponse.FromString(frame)  # type: ignore[arg-type]
        if response.HasField("error"):
            raise from_status(response.error, "SIDECAR_UNAVAILABLE")
        return response

    def fileno(self) -> int:
        """The socket."""
        return self._socket.fileno()

    def holds_answer(self) -> bool:
        """Whether a whole message is here, or the peer is gone."""
        while self._frame_size() is None and not self._gone:
            try:
                self._take_in(socket.MSG_DONTWAIT)
            except BlockingIOError:
                return False
            except FleetError:
                return True
        return True

    def close(self) -> None:
        """Closes the socket."""
        self._socket.close()

    def _frame_size(self) -> int | None:
        """Bytes of the message that stands first in the buffer; None while it is not whole."""
        here = self._end - self._begin
        if here < _LENGTH.size:
            return None
        size: int = _LENGTH.unpack_from(self._buffer, self._begin)[0]
        if size > MAX_MESSAGE_BYTES:
            raise FleetError(
                "MESSAGE_TOO_LARGE",
                f"{self._what} sent a message of {size} bytes, expected at most {MAX_MESSAGE_BYTES}; "
                "use fewer environments",
            )
        return size if here - _LENGTH.size >= size else None

    def _take_in(self, flags: int) -> None:
        """Reads what has come, at least one byte."""
        if self._begin == self._end:
            self._begin = self._end = 0
        if self._end == len(self._buffer):
            self._make_room()
        try:
            count = self._socket.recv_into(memoryview(self._buffer)[self._end :], 0, flags)
        except BlockingIOError:
            raise
        except OSError as error:
            raise self._broken(error) from error
        if count == 0:
            raise self._broken(None)
        self._end += count

    def _make_room(self) -> None:
        kept = self._buffer[self._begin : self._end]
        size = len(self._buffer) if len(kept) <= len(self._buffer) // 2 else 2 * len(self._buffer)
        self._buffer = kept + bytes(size - len(kept))
        self._begin, self._end = 0, len(kept)

    def _send_rest(self, rest: memoryview) -> None:
        poll = select.poll()
        poll.register(self._socket, select.POLLIN | select.POLLOUT)
        while rest:
            for _, event in poll.poll():
                try:
                    if event & select.POLLIN:
                        self._take_in(socket.MSG_DONTWAIT)
                    if event & (select.POLLOUT | select.POLLHUP | select.POLLERR):
                        rest = rest[self._socket.send(rest, socket.MSG_DONTWAIT) :]
                except BlockingIOError:
                    continue
                except OSError as error:
                    raise self._broken(error) from error

    def _broken(self, error: OSError | None) -> FleetError:
        self._gone = True
        why = "it hung up" if error is None else error.strerror or str(error)
        return FleetError("SIDECAR_UNAVAILABLE", f"{self._what}: no connection ({why})")
