"""The link between the grpc server and its worker process: jobs one way, their parts and ends the other.

Messages on a stream socket, each with the number of the job it belongs to. Both ends are ours: payloads are
protocol buffers, errors JSON. Owns the framing; refuses to know what a job is about.
"""

from __future__ import annotations

import select
import socket
import struct
import threading
from dataclasses import dataclass
from enum import IntEnum
from typing import Final


class Kind(IntEnum):
    """What a message is."""

    DESCRIBE = 1
    """To the worker: say what you are. One part: a HandshakeResponse without pid."""
    EPISODES = 2
    """To the worker: a RunBlockRequest. Parts: RunBlockResponse."""
    SUMMARIZE = 3
    """To the worker: a SummarizeRequest. One part: SummarizeResponse."""
    RENDER = 4
    """To the worker: a RenderRequest. Parts: RenderResponse."""
    CANCEL = 5
    """To the worker: end this job, if it still runs."""
    PART = 6
    """From the worker: a piece of the job's answer."""
    ALIVE = 7
    """From the worker, about once a second while a job runs: a sim.v1.Heartbeat."""
    END = 8
    """From the worker: the job is done (or was cancelled)."""
    ERROR = 9
    """From the worker, instead of END: a SimError."""
    ENVIRONMENT = 10
    """To the worker: a DescribeEnvironmentRequest. One part: DescribeEnvironmentResponse."""
    COUNT = 11
    """From the worker, before END or ERROR: how many policy processes the job started, an integer."""


_HEADER: Final = struct.Struct("<BQI")


@dataclass(frozen=True)
class Message:
    """One message."""

    kind: Kind
    job: int
    payload: bytes = b""


class Link:
    """One end. Any thread may send; one thread receives."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._sending = threading.Lock()
        self._poll = select.poll()
        self._poll.register(end, select.POLLIN)

    def send(self, message: Message) -> None:
        """Raises OSError when the other end is gone."""
        header = _HEADER.pack(message.kind, message.job, len(message.payload))
        with self._sending:
            self._socket.sendall(header + message.payload)

    def receive(self, timeout_s: float | None = None) -> Message | None:
        """The next message; None when the other end is gone. Raises TimeoutError when none has begun in
        time."""
        # Waiting by poll and not by a socket timeout: that would make the other threads' sends time out too.
        if timeout_s is not None and not self._poll.poll(timeout_s * 1000):
            raise TimeoutError
        try:
            header = self._exactly(_HEADER.size)
            if header is None:
                return None
            kind, job, size = _HEADER.unpack(header)
            payload = self._exactly(size)
        except ConnectionError:
            return None
        return None if payload is None else Message(Kind(kind), job, payload)

    def close(self) -> None:
        """May be called twice."""
        self._socket.close()

    def _exactly(self, size: int) -> bytes | None:
        parts: list[bytes] = []
        while size > 0:
            part = self._socket.recv(min(size, 1 << 20))
            if not part:
                return None
            parts.append(part)
            size -= len(part)
        return b"".join(parts)
