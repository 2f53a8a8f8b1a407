"""Frames: messages on a stream socket, each preceded by its length, four bytes, little-endian.

Owns that encoding and its bound. Knows nothing of what the messages are. A frame goes out in one system call
and, as a rule, comes in with one.
"""

from __future__ import annotations

import socket
import struct
from typing import Final

from promptpo.client.eager import EagerWait
from promptpo.sim.errors import SimError

MAX_MESSAGE_BYTES: Final = 64 << 20
"""Of one message, the same as gRPC's own bound in the services."""

_LENGTH: Final = struct.Struct("<I")
_USUAL_BYTES: Final = 1 << 14
"""Holds a typical shard's actions whole."""
_BUFFER_BYTES: Final = 1 << 16


def framed(message: bytes) -> bytes:
    """The message with its length before it."""
    return _LENGTH.pack(len(message)) + message


class FrameReader:
    """Reads messages off a blocking socket. One thread reads."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self.eager: EagerWait | None = None
        """How to wait for the next message; None: asleep, and as long as the socket's timeout says."""
        self._buffer = bytearray(_BUFFER_BYTES)
        self._begin = 0
        self._end = 0

    def read(self) -> bytes | None:
        """The next message; None when the other end is gone. Raises SimError for one that is too large."""
        if self._begin == self._end:
            if self.eager is not None:
                self.eager.wait()
            # As a rule one message is all there is, and comes whole.
            try:
                came = self._socket.recv(_USUAL_BYTES)
            except OSError:
                return None
            if len(came) >= _LENGTH.size and _LENGTH.unpack_from(came)[0] == len(came) - _LENGTH.size:
                return came[_LENGTH.size :]
            if not came:
                return None
            self._put(came)
        while self._end - self._begin < _LENGTH.size:
            if not self._more():
                return None
        (size,) = _LENGTH.unpack_from(self._buffer, self._begin)
        if size > MAX_MESSAGE_BYTES:
            raise SimError(
                "MESSAGE_TOO_LARGE",
                f"a message of {size} bytes was announced, at most {MAX_MESSAGE_BYTES} are taken",
            )
        whole = _LENGTH.size + size
        while self._end - self._begin < whole:
            if whole > len(self._buffer):
                self._grow(whole)
            if not self._more():
                return None
        begin = self._begin + _LENGTH.size
        message = bytes(memoryview(self._buffer)[begin : begin + size])
        self._begin += whole
        if self._begin == self._end:
            self._begin = self._end = 0
            if len(self._buffer) > 16 * _BUFFER_BYTES:
                self._buffer = bytearray(_BUFFER_BYTES)
        return message

    def _put(self, came: bytes) -> None:
        self._begin, self._end = 0, len(came)
        self._buffer[: len(came)] = came

    def _more(self) -> bool:
        if self._end == len(self._buffer):
            self._grow(len(self._buffer))
        try:
            count = self._socket.recv_into(memoryview(self._buffer)[self._end :])
        except OSError:
            return False
        self._end += count
        return count > 0

    def _grow(self, size: int) -> None:
        """Room for `size` bytes from the present message's begin, and some more."""
        kept = self._buffer[self._begin : self._end]
        self._buffer = bytearray(max(size, len(kept) + _BUFFER_BYTES))
        self._buffer[: len(kept)] = kept
        self._begin, self._end = 0, len(kept)
