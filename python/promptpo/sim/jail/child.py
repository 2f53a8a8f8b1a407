"""The policy process: confines itself, builds the policy, answers observations until its pipe ends.

Runs in a fork of the warm parent and never returns into it. Everything from `construct` on runs beside
hostile code; what must hold then is held by the kernel, and every word that leaves here is only a claim to
the worker.
"""

# ruff: noqa: ANN401  a policy returns anything
from __future__ import annotations

import mmap
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import numpy as np
import numpy.typing as npt

from ..policy_error import PolicyError, PolicyFailed
from . import confine, frames
from .clock import VirtualClock
from .entropy import EntropyStream, key_process
from .frames import (
    BROKEN,
    CONFINED,
    DTYPE_CODES,
    END,
    FAILURE,
    MAX_DIMENSIONS,
    READY,
    TEXT,
    ObservationLayout,
    Setup,
)
from .observation import observation_type
from .policy_source import construct
from .report import interrupted, raised
from .syscalls import NAMES

METHODS: Final = {"act": "act", "summarize": "summarize_trajectory"}
"""Mode -> the method that the policy's class must have."""

_RESERVE: Final = mmap.mmap(-1, 4 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
"""Address space given back before a failure is told: a policy that used all of its own leaves none for
that."""


@dataclass(frozen=True)
class Inheritance:
    """What a policy process takes over from the warm parent."""

    parent_pid: int
    address_space_bytes: int
    """Of the parent; the limit counts from there."""
    landlock_abi: int
    unconfined: bool
    entropy: EntropyStream
    clock: VirtualClock


def run(inherited: Inheritance, request_fd: int, answer_fd: int) -> NoReturn:
    """The whole life of a policy process."""
    confine.detach(request_fd, answer_fd, inherited.parent_pid)
    setup = Setup.decode(_rest(b"", int.from_bytes(_rest(b"", 4), "little")))
    speaker = _Speaker(setup.action_bytes)
    try:
        key_process(inherited.entropy, setup.entropy_key)
        TRAP.speaker = speaker
        confine.limit_resources(inherited.address_space_bytes + setup.memory_bytes, setup.cpu_s)
        if not inherited.unconfined:
            confine.confine(inherited.landlock_abi)
    except BaseException as error:
        speaker.say(BROKEN, f"{type(error).__name__}: {error}".encode()[:1000])
        os._exit(1)
    speaker.say(CONFINED)
    try:
        if setup.mode == "act":
            _answer(setup, speaker, inherited.clock)
        else:
            _summarize(setup, speaker, inherited.clock)
    except PolicyFailed as failed:
        _RESERVE.close()
        speaker.fail(failed.error)
    except BaseException as error:
        _RESERVE.close()
        speaker.fail(raised(error))
    os._exit(0)


def _answer(setup: Setup, speaker: _Speaker, clock: VirtualClock) -> NoReturn:
    """Construct, then one action an observation, for ever."""
    layout = ObservationLayout(setup.fields)
    size = layout.frame_bytes
    _, make = observation_type(layout.readers())
    clock.read = lambda: max(speaker.sequence - 1, 0) * setup.dt
    act = construct(setup.source, setup.class_name, METHODS["act"]).act
    speaker.say(READY)
    read, write, pack = os.read, os.write, _action_packer(setup.action_bytes)
    request_fd, answer_fd = confine.REQUEST_FD, confine.ANSWER_FD
    while True:
        # Every name and call in this loop is paid for at each step, with cold caches.
        frame = read(request_fd, size)
        if len(frame) != size:
            frame = _rest(frame, size)
        speaker.frame = frame
        write(answer_fd, pack(frame, act(make(frame))))


def _summarize(setup: Setup, speaker: _Speaker, clock: VirtualClock) -> None:
    """Construct, take a whole trajectory, answer once."""
    layout = ObservationLayout(setup.fields)
    size = layout.frame_bytes
    _, make = observation_type(layout.readers())
    program = construct(setup.source, setup.class_name, METHODS["summarize"])
    speaker.say(READY)
    trajectory = []
    while True:
        frame = _rest(b"", size)
        speaker.frame = frame
        if frames.REQUEST_HEADER.unpack_from(frame)[1] == END:
            break
        trajectory.append(make(frame))
    end = len(trajectory) * setup.dt
    clock.read = lambda: end
    text = program.summarize_trajectory(trajectory)
    if not isinstance(text, str):
        message = f"summarize_trajectory returned {type(text).__name__}, expected a str"
        raise PolicyFailed(PolicyError("BAD_SUMMARY", message))
    data = text.encode("utf-8", "backslashreplace")
    if len(data) > setup.text_bytes:
        message = (
            f"summarize_trajectory returned {len(data)} bytes of text, at most {setup.text_bytes} are taken"
        )
        raise PolicyFailed(PolicyError("BAD_SUMMARY", message))
    speaker.say(TEXT, data)


class _Speaker:
    """Everything said but actions."""

    def __init__(self, action_bytes: int) -> None:
        self.frame = bytes(8)
        """The request that is being answered."""
        self._action_bytes = action_bytes

    @property
    def sequence(self) -> int:
        """Its number; 0 before the first."""
        return int.from_bytes(self.frame[:8], "little")

    def say(self, status: int, blob: bytes = b"") -> None:
        data = frames.pack_status(self.sequence, status, len(blob), self._action_bytes) + blob
        while data:
            data = data[os.write(confine.ANSWER_FD, data) :]

    def fail(self, error: PolicyError) -> NoReturn:
        self.say(FAILURE, frames.pack_failure(error))
        os._exit(0)


class _Trap:
    """What the kernel calls in the middle of a forbidden system call; the warm parent hands it over before
    forks."""

    speaker: _Speaker | None = None

    def __call__(self, number: int) -> None:
        """Reports the call and ends the process."""
        if self.speaker is not None:
            what = f"the policy made the system call {NAMES.get(number, number)}, which the jail forbids"
            self.speaker.fail(interrupted(sys._getframe(), what))


TRAP: Final = _Trap()


def _action_packer(action_bytes: int) -> Callable[[bytes, Any], bytes]:
    """From a request frame and what `act` returned to the answer frame (`frames.pack_action`).

    An array like the one before takes a short way: the header's constant part is kept.
    """
    known: dict[tuple[np.dtype[Any], tuple[int, ...]], bytes] = {}
    asarray, array_type = np.asarray, np.ndarray
    kept_dtype: np.dtype[Any] | None = None
    kept_shape: tuple[int, ...] = ()
    kept_tail = pad = b""

    def pack(frame: bytes, returned: Any) -> bytes:
        if type(returned) is array_type and returned.dtype is kept_dtype and returned.shape == kept_shape:
            return frame[:8] + kept_tail + returned.tobytes() + pad
        return other(frame, returned)

    def other(frame: bytes, returned: Any) -> bytes:
        nonlocal kept_dtype, kept_shape, kept_tail, pad
        try:
            action = asarray(returned)
            tail = known.get((action.dtype, action.shape))
        except MemoryError:
            raise
        except Exception as error:
            raise PolicyFailed(_bad_action(f"act returned {_shown(returned)}: {error}")) from error
        if tail is not None:
            data = frame[:8] + tail + action.tobytes()
            return data.ljust(frames.answer_bytes(action_bytes), b"\0")
        action = _carried(action, returned)
        answer = frames.pack_action(int.from_bytes(frame[:8], "little"), action, action_bytes)
        # Of an action that has no room only the header is sent, so that one is not the same frame again.
        if action.nbytes <= action_bytes and len(known) < 8:
            known[action.dtype, action.shape] = answer[8 : frames.ANSWER_HEADER_BYTES]
            if type(returned) is array_type and action is returned:
                kept_dtype, kept_shape = action.dtype, action.shape
                kept_tail, pad = known[kept_dtype, kept_shape], bytes(action_bytes - action.nbytes)
        return answer

    return pack


def _carried(action: npt.NDArray[Any], returned: Any) -> npt.NDArray[Any]:
    """The action in native byte order. Raises PolicyFailed for what no frame carries."""
    native = action.dtype.newbyteorder("=")
    if native not in DTYPE_CODES:
        raise PolicyFailed(_bad_action(f"act returned {_shown(returned)}, expected numbers"))
    if action.ndim > MAX_DIMENSIONS:
        raise PolicyFailed(_bad_action(f"act returned an array of {action.ndim} dimensions"))
    if action.size > 0xFFFF_FFFF:  # the header's dimensions have 32 bits
        raise PolicyFailed(_bad_action(f"act returned an array of shape {action.shape}"))
    return action.astype(native, copy=False)


def _bad_action(message: str) -> PolicyError:
    return PolicyError("BAD_ACTION", message)


def _shown(value: Any) -> str:
    """Type and, in short, value of what a policy returned."""
    if value is None:
        return "None"
    try:
        text = repr(value)
    except Exception:
        text = "..."
    return f"{type(value).__name__} {text if len(text) <= 80 else text[:77] + '...'}"


def _rest(data: bytes, size: int) -> bytes:
    """`data` filled up to `size`; the end of the pipe ends the process."""
    while len(data) < size:
        more = os.read(confine.REQUEST_FD, size - len(data))
        if not more:
            os._exit(0)
        data += more
    return data
