"""The frames between worker and policy process: a pure codec, no file descriptors.

Fixed-size, little-endian, a sequence number on every one. A request is a header and the observation's fields
in order, raw. An answer is a header and room for one action; a failure or a text follows it as a blob whose
length the header bounds. Never pickle: what comes back was written by hostile code and is only ever read as
numbers.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from ..policy_error import KINDS, MESSAGE_CHARACTERS, TRACEBACK_CHARACTERS, ErrorKind, PolicyError, shorten

REQUEST_HEADER: Final = struct.Struct("<QQ")
"""Sequence number, what follows (OBSERVATION or END). 16 bytes: the fields stay aligned for SIMD loads."""

OBSERVATION, END = 0, 1
"""An observation follows; or the trajectory is complete (feedback programs) and the fields are zeros."""

ANSWER_HEADER: Final = struct.Struct("<QIBBHIIIII")
"""Sequence number, status, dtype code, ndim, spare, four dimensions, payload or blob bytes. 40 bytes with
pad."""

ANSWER_HEADER_BYTES: Final = 40
MAX_DIMENSIONS: Final = 4
MAX_BLOB_BYTES: Final = 1 << 17
"""A failure's message and traceback in UTF-8 (4 bytes a character at most), or a text."""

CONFINED, BROKEN, READY, ACTION, FAILURE, TEXT = 1, 2, 3, 4, 5, 6
"""The first frame of a process is CONFINED or BROKEN, said before any hostile code ran and therefore to be
believed; then READY or FAILURE; then an answer to each request."""

DTYPES: Final[tuple[str, ...]] = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")
"""Dtypes an action may have; a code is the index. Longer floats are not exact across machines; objects,
strings and complex numbers are no action."""

DTYPE_CODES: Final[dict[np.dtype[Any], int]] = {np.dtype(name): code for code, name in enumerate(DTYPES)}
_DTYPE_OF_CODE: Final[tuple[np.dtype[Any], ...]] = tuple(np.dtype(name) for name in DTYPES)

Status: TypeAlias = int
Mode: TypeAlias = Literal["act", "summarize"]


class FrameError(ValueError):
    """Bytes that are not the frame that was due."""


@dataclass(frozen=True)
class FieldLayout:
    """One field of the observation: `dtype` is "float64" or "int64"."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of entries."""
        size = 1
        for dimension in self.shape:
            size *= dimension
        return size


@dataclass(frozen=True)
class Setup:
    """All that a policy process is told before its first observation. From trusted to hostile: plain JSON."""

    mode: Mode
    source: str
    class_name: str
    fields: tuple[FieldLayout, ...]
    action_bytes: int
    """Room for an action in an answer frame."""
    dt: float
    """Seconds the virtual clock moves an observation."""
    entropy_key: str
    """Key of the process's random stream."""
    memory_bytes: int
    """Address space beyond the warm parent's."""
    cpu_s: int
    """RLIMIT_CPU of the process, whole seconds: a backstop of the worker's own watch. 0: none."""
    text_bytes: int

    def encode(self) -> bytes:
        """Length (u32) and JSON."""
        document = {**self.__dict__, "fields": [[f.name, f.dtype, list(f.shape)] for f in self.fields]}
        data = json.dumps(document).encode()
        return struct.pack("<I", len(data)) + data

    @staticmethod
    def decode(data: bytes) -> Setup:
        """From the JSON alone, without its length."""
        document = json.loads(data)
        fields = tuple(FieldLayout(name, dtype, tuple(shape)) for name, dtype, shape in document["fields"])
        return Setup(**{**document, "fields": fields})


@dataclass(frozen=True)
class ObservationLayout:
    """Where each field lies in a request frame."""

    fields: tuple[FieldLayout, ...]

    @cached_property
    def nbytes(self) -> int:
        """Bytes of all fields, without the header."""
        return 8 * sum(field.size for field in self.fields)

    @cached_property
    def frame_bytes(self) -> int:
        """Size of every request frame."""
        return REQUEST_HEADER.size + self.nbytes

    def check(self, observation: tuple[npt.NDArray[Any], ...]) -> None:
        """Raises TypeError if the environment breaks its own description (then the fault is ours)."""
        if len(observation) != len(self.fields):
            raise TypeError(f"observation has {len(observation)} fields, the description {len(self.fields)}")
        for field, value in zip(self.fields, observation, strict=True):
            if value.dtype != np.dtype(field.dtype) or value.shape != field.shape:
                raise TypeError(
                    f"observation field {field.name} is {value.dtype}{list(value.shape)}, "
                    f"described as {field.dtype}{list(field.shape)}"
                )
            if not value.flags.c_contiguous:
                raise TypeError(f"observation field {field.name} is not C-contiguous")

    def pack(self, sequence: int, observation: tuple[npt.NDArray[Any], ...]) -> bytes:
        """A whole request frame."""
        # Arrays are joined as the buffers that they are; `check` saw to it that they are C-contiguous.
        return b"".join((REQUEST_HEADER.pack(sequence, OBSERVATION), *observation))  # type: ignore[arg-type]

    def pack_end(self, sequence: int) -> bytes:
        """The frame behind the last observation of a trajectory."""
        return REQUEST_HEADER.pack(sequence, END).ljust(self.frame_bytes, b"\0")

    def readers(self) -> dict[str, Callable[[bytes], Any]]:
        """Field name -> the reader of that field in a request frame.

        Arrays are read-only views over the frame, scalars plain float or int.
        """
        found: dict[str, Callable[[bytes], Any]] = {}
        at = REQUEST_HEADER.size
        for field in self.fields:
            found[field.name] = _reader(field, at)
            at += 8 * field.size
        return found


def _reader(field: FieldLayout, at: int) -> Callable[[bytes], Any]:
    is_float, size, shape = field.dtype == "float64", field.size, field.shape
    if not shape:
        number = struct.Struct("<d" if is_float else "<q")
        return lambda frame: number.unpack_from(frame, at)[0]
    dtype, frombuffer = np.dtype("<f8" if is_float else "<i8"), np.frombuffer
    if len(shape) == 1:
        return lambda frame: frombuffer(frame, dtype, size, at)
    return lambda frame: frombuffer(frame, dtype, size, at).reshape(shape)


@dataclass(frozen=True)
class Answer:
    """A decoded answer frame. `dtype` and `shape` are claims of the policy process; `data` is what it
    sent."""

    sequence: int
    status: Status
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    data: bytes
    blob_bytes: int


def answer_bytes(action_bytes: int) -> int:
    """Size of every answer frame of a process whose actions take `action_bytes`."""
    return ANSWER_HEADER_BYTES + action_bytes


def pack_action(sequence: int, action: npt.NDArray[Any], action_bytes: int) -> bytes:
    """An ACTION frame; of an action too large for it only dtype and shape arrive, which is enough to refuse
    it.

    Raises FrameError for a dtype or a number of dimensions that no frame can carry.
    """
    code = DTYPE_CODES.get(action.dtype)
    if code is None or action.ndim > MAX_DIMENSIONS or action.size > 0xFFFFFFFF:
        raise FrameError(f"no frame for {action.dtype} of shape {action.shape}")
    dimensions = action.shape + (0,) * (MAX_DIMENSIONS - action.ndim)
    nbytes = action.nbytes if action.nbytes <= action_bytes else 0
    header = ANSWER_HEADER.pack(sequence, ACTION, code, action.ndim, 0, *dimensions, nbytes)
    payload = action.tobytes() if nbytes else b""
    return (header + bytes(ANSWER_HEADER_BYTES - len(header)) + payload).ljust(
        answer_bytes(action_bytes), b"\0"
    )


def pack_status(sequence: int, status: Status, blob_bytes: int, action_bytes: int) -> bytes:
    """A frame without action; the blob itself follows it."""
    header = ANSWER_HEADER.pack(sequence, status, 0, 0, 0, 0, 0, 0, 0, blob_bytes)
    return header.ljust(answer_bytes(action_bytes), b"\0")


def unpack_answer(data: bytes, action_bytes: int) -> Answer:
    """Reads an answer frame of exactly the size that is due. Raises FrameError for anything that is none."""
    if len(data) != answer_bytes(action_bytes):
        raise FrameError(f"expected a frame of {answer_bytes(action_bytes)} bytes, received {len(data)}")
    sequence, status, code, ndim, _, d0, d1, d2, d3, count = ANSWER_HEADER.unpack_from(data)
    if not CONFINED <= status <= TEXT:
        raise FrameError(f"status {status} is none of ours")
    if status != ACTION:
        if count > MAX_BLOB_BYTES:
            raise FrameError(f"announces {count} bytes, at most {MAX_BLOB_BYTES} are read")
        return Answer(sequence, status, _DTYPE_OF_CODE[0], (), b"", count)
    if code >= len(DTYPES) or ndim > MAX_DIMENSIONS:
        raise FrameError(f"dtype code {code} with {ndim} dimensions is no action")
    dtype = _DTYPE_OF_CODE[code]
    shape = (d0, d1, d2, d3)[:ndim]
    size = 1
    for dimension in shape:
        size *= dimension
    needed = size * dtype.itemsize
    if count != (needed if needed <= action_bytes else 0):
        raise FrameError(f"announces {count} bytes for {dtype} of shape {shape}")
    return Answer(sequence, status, dtype, shape, data[ANSWER_HEADER_BYTES : ANSWER_HEADER_BYTES + count], 0)


_FAILURE: Final = struct.Struct("<16sIIII")


def pack_failure(error: PolicyError) -> bytes:
    """A FAILURE's blob: kind, line, column, message, traceback; the step is the worker's to know."""
    message = shorten(error.message, MESSAGE_CHARACTERS).encode("utf-8", "backslashreplace")
    trace = shorten(error.traceback, TRACEBACK_CHARACTERS).encode("utf-8", "backslashreplace")
    kind = error.kind.encode()
    return _FAILURE.pack(kind, error.line or 0, error.column or 0, len(message), len(trace)) + message + trace


_MAX_LINE: Final = 1 << 30


def unpack_failure(data: bytes, may_claim: frozenset[ErrorKind]) -> PolicyError:
    """Reads a FAILURE's blob. The kind is a claim: only those in `may_claim` are believed.

    Raises FrameError for a blob that was not written by `pack_failure`.
    """
    if len(data) < _FAILURE.size:
        raise FrameError(f"a failure of {len(data)} bytes")
    raw_kind, line, column, message_bytes, trace_bytes = _FAILURE.unpack_from(data)
    name = raw_kind.rstrip(b"\0").decode("ascii", "replace")
    kind = next((known for known in KINDS if known == name), None)
    if kind is None or kind not in may_claim:
        raise FrameError(f"claims to have failed as {name!r}")
    if _FAILURE.size + message_bytes + trace_bytes != len(data) or line > _MAX_LINE or column > _MAX_LINE:
        raise FrameError("a failure whose parts do not add up")
    body = data[_FAILURE.size :]
    message = shorten(body[:message_bytes].decode("utf-8", "replace"), MESSAGE_CHARACTERS)
    trace = shorten(body[message_bytes:].decode("utf-8", "replace"), TRACEBACK_CHARACTERS)
    return PolicyError(kind, message, trace, None, line or None, column or None)
