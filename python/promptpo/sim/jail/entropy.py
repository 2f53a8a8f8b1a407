"""Randomness inside a policy process: every source that Python and numpy have, fed from one keyed stream.

Installed in the warm parent before numpy is imported (numpy.random copies `secrets.randbits`); keyed in the
child. Equal keys give equal bits in every process, different keys different ones. `hash(str)` is fixed by
PYTHONHASHSEED=0 in the parent's environment. Not covered, and not promised: the order of sets of plain
objects (hashed by address).
"""

# ruff: noqa: ANN401  functions of the standard library are stood in for, with their signatures
from __future__ import annotations

import _random
import hashlib
import os
import random
from typing import Any


class EntropyStream:
    """SHA-256 of (key, counter), block after block."""

    __slots__ = ("_buffer", "_counter", "_key")

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._counter = 0
        self._buffer = b""

    def rekey(self, key: bytes) -> None:
        """Starts the stream anew."""
        self._key, self._counter, self._buffer = key, 0, b""

    def read(self, size: int, _flags: int = 0) -> bytes:
        """The next `size` bytes; stands in for `os.urandom` and `os.getrandom`."""
        if size < 0:
            raise ValueError("negative argument not allowed")
        blocks = [self._buffer]
        have = len(self._buffer)
        while have < size:
            blocks.append(hashlib.sha256(self._key + self._counter.to_bytes(8, "little")).digest())
            self._counter += 1
            have += 32
        data = b"".join(blocks)
        self._buffer = data[size:]
        return data[:size]


def install() -> EntropyStream:
    """Replaces the entropy of this process. Must run before numpy is imported; returns the stream to be
    keyed."""
    stream = EntropyStream(b"warm parent")
    os.urandom = stream.read
    os.getrandom = stream.read  # type: ignore[assignment]
    # A number that differs from fork to fork is entropy too: some sources seed from it.
    os.getpid = os.getppid = lambda: 1
    random._urandom = stream.read  # type: ignore[attr-defined]

    base: Any = _random.Random
    base_seed = base.seed
    seed_of_python = random.Random.seed

    def new(cls: type[random.Random], *_: Any, **__: Any) -> Any:
        # The constructor of C asks the kernel before Python's __init__ seeds again; a number spares that.
        return base.__new__(cls, 0)

    def seed(self: random.Random, a: Any = None, version: int = 2) -> None:
        if a is None:
            base_seed(self, int.from_bytes(stream.read(32), "little"))
            self.gauss_next = None  # type: ignore[attr-defined]
        else:
            seed_of_python(self, a, version)

    random.Random.__new__ = new  # type: ignore[method-assign,assignment]
    random.Random.seed = seed  # type: ignore[method-assign]
    # The functions of the module are bound methods of one hidden object, bound before the replacement.
    random.seed = random._inst.seed
    _fix_uuid()
    return stream


def _fix_uuid() -> None:
    """uuid1 takes its node and its clock from C libraries; without them it uses getnode, random and time."""
    import uuid

    module: Any = uuid
    module._generate_time_safe = None
    module._UuidCreate = None
    module._node = 0x0250_0000_0001  # locally administered: what getnode answers from now on
    module._last_timestamp = None


def key_process(stream: EntropyStream, key: str) -> None:
    """Keys the stream and seeds the two global generators from it: called in the child, before the policy."""
    import uuid

    import numpy as np

    stream.rekey(key.encode())
    random.seed()
    # 16 words: what numpy's own unseeded generator would have drawn from the system.
    np.random.seed(np.frombuffer(stream.read(64), dtype="<u4"))  # noqa: NPY002  the global generator is the point
    uuid._last_timestamp = None  # type: ignore[attr-defined]
