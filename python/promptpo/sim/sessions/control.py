"""The link between the server and a shard's process: what they tell each other, and its encoding.

One byte says what a message is, the rest belongs to it. Both ends are ours.
"""

from __future__ import annotations

import socket
import struct
import threading
from enum import IntEnum
from typing import Final

from promptpo.sim.sessions.frames import FrameReader, framed


class Word(IntEnum):
    """What a message is."""

    SETTINGS = 1
    """To the process, first: an OpenSessionRequest."""
    RENEW = 2
    """To the process: seconds from now, a double; 0 is the session's own lease."""
    REPORT = 3
    """To the process: send a report."""
    CLOSE = 4
    """To the process: end; a SimError for the client."""
    READY = 5
    """From the process: a ShardOpened."""
    FAILED = 6
    """From the process, instead of READY: a SimError. It ends."""
    PROGRESS = 7
    """From the process, once: it answered a request."""
    RENEWED = 8
    """From the process: seconds left, a double."""
    REPORTED = 9
    """From the process: a SessionReport."""
    ENDED = 10
    """From the process, before it ends on purpose: a SimError for those who still ask."""


_SECONDS: Final = struct.Struct("<d")


class Control:
    """One end. Any thread may say something; one thread hears."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._reader = FrameReader(end)
        self._saying = threading.Lock()

    def say(self, word: Word, payload: bytes = b"") -> bool:
        """False when the other end is gone."""
        try:
            with self._saying:
                self._socket.sendall(framed(bytes((word,)) + payload))
        except OSError:
            return False
        return True

    def hear(self) -> tuple[Word, bytes] | None:
        """The next message; None when the other end is gone."""
        message = self._reader.read()
        return None if message is None else (Word(message[0]), message[1:])

    def close(self) -> None:
        """May be called twice."""
        self._socket.close()


def seconds(value: float) -> bytes:
    """A payload that is a time."""
    return _SECONDS.pack(value)


def seconds_of(payload: bytes) -> float:
    """The time of such a payload."""
    value: float = _SECONDS.unpack(payload)[0]
    return value
