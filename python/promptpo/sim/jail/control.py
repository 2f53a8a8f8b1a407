"""What worker and warm parent say to each other: small fixed messages on a SEQPACKET socket, one request at a
time.

A pure codec. Descriptors travel beside a message: with Fork the two ends of the pipes that the process gets,
with Forked its pidfd.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, Self, TypeAlias

UNCONFINED: Final = "--unconfined"
"""Argument of the warm parent behind its socket's descriptor: the operator allowed policies without
confinement."""

SCIENTIFIC: Final = "--scientific"
"""Argument of the warm parent: scipy is imported beforehand, and no policy without it."""

MAX_MESSAGE_BYTES: Final = 64


@dataclass(frozen=True)
class _Message:
    letter: ClassVar[bytes]
    layout: ClassVar[struct.Struct]

    def encode(self) -> bytes:
        """Letter and fields."""
        return self.letter + self.layout.pack(*self.__dict__.values())

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Raises ValueError for another message."""
        if data[:1] != cls.letter or len(data) != 1 + cls.layout.size:
            raise ValueError(f"expected {cls.__name__}, received {data[:MAX_MESSAGE_BYTES]!r}")
        return cls(*cls.layout.unpack(data[1:]))


@dataclass(frozen=True)
class Warm(_Message):
    """The parent's first word: it can fork."""

    letter: ClassVar = b"W"
    layout: ClassVar = struct.Struct("<i")
    landlock_abi: int


@dataclass(frozen=True)
class Fork(_Message):
    """Fork a policy process with the two descriptors sent along (requests to read, answers to write)."""

    letter: ClassVar = b"F"
    layout: ClassVar = struct.Struct("<")


@dataclass(frozen=True)
class Forked(_Message):
    """Its pid, or 0 and the errno that says why there is none."""

    letter: ClassVar = b"f"
    layout: ClassVar = struct.Struct("<qi")
    pid: int
    errno: int


@dataclass(frozen=True)
class Reap(_Message):
    """Wait for a process, which has ended or is about to, and tell how it ended."""

    letter: ClassVar = b"R"
    layout: ClassVar = struct.Struct("<q")
    pid: int


@dataclass(frozen=True)
class Reaped(_Message):
    """How a process ended: the status of wait(2), CPU seconds, peak resident kB."""

    letter: ClassVar = b"r"
    layout: ClassVar = struct.Struct("<qidq")
    pid: int
    status: int
    cpu_s: float
    peak_kb: int


@dataclass(frozen=True)
class Disown(_Message):
    """Nobody will ask how this process ended."""

    letter: ClassVar = b"D"
    layout: ClassVar = struct.Struct("<q")
    pid: int


Request: TypeAlias = Fork | Reap | Disown


def decode_request(data: bytes) -> Request:
    """A request by its letter. Raises ValueError."""
    for kind in (Fork, Reap, Disown):
        if data[:1] == kind.letter:
            return kind.decode(data)
    raise ValueError(f"no request begins with {data[:1]!r}")
