"""Every system call there is, one by one: in the real jail, and for all arguments in the filter itself."""

from __future__ import annotations

import errno
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpo.sim.jail.seccomp import ALLOWED, REFUSED, program
from promptpo.sim.jail.syscalls import NAMES, NUMBERS
from promptpo.sim.jail.testing import Jail

BY_ARGUMENT = ("mmap", "mprotect", "madvise", "rt_sigaction", "kill", "tgkill", "clone")
KNOWN = {NUMBERS[name] for name in (*ALLOWED, *REFUSED, *BY_ARGUMENT)}
PASSED_BY_THE_KERNEL = {NUMBERS["uretprobe"], NUMBERS["uprobe"]}
"""Newer kernels let these two by every filter; outside a probed function they can only end the process."""
OTHERS = [number for number in range(512) if number not in KNOWN | PASSED_BY_THE_KERNEL]

X86_64, I386 = 0xC000_003E, 0x4000_0003
ALLOW, KILL, TRAP, ERRNO = 0x7FFF_0000, 0x8000_0000, 0x0003_0000, 0x0005_0000
PID = 4242


def verdict(number: int, arguments: tuple[int, ...] = (0,) * 6, architecture: int = X86_64) -> int:
    """What the filter says of a call: the kernel's interpreter in small."""
    call = struct.pack("<IIQ6Q", number, architecture, 0, *arguments)
    lines = list(struct.iter_unpack("<HBBI", program(PID)))
    at, loaded = 0, 0
    while True:
        code, if_true, if_false, value = lines[at]
        at += 1
        if code == 0x06:
            return int(value)
        if code == 0x20:
            (loaded,) = struct.unpack_from("<I", call, value)
            continue
        holds = {0x15: loaded == value, 0x35: loaded >= value, 0x45: bool(loaded & value)}[code]
        at += if_true if holds else if_false


def test_every_call_that_is_not_known_ends_the_policy_and_is_named(jail: Jail) -> None:
    body = "import ctypes; ctypes.CDLL(None).syscall({}, 0, 0, 0, 0, 0, 0); return [0, 0]"
    for number in OTHERS:
        error = jail.failure_of(body.format(number))
        assert error.kind == "ESCAPE_ATTEMPT"
        assert f"system call {NAMES.get(number, number)}, which" in error.message


def test_every_call_that_is_refused_has_its_errno(jail: Jail) -> None:
    expected = {NUMBERS[name]: number for name, number in REFUSED.items()}
    body = f"""
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        for number, expected in {expected}.items():
            ctypes.set_errno(0)
            if libc.syscall(number, 0, 0, 0, 0, 0, 0) != -1 or ctypes.get_errno() != expected:
                raise RuntimeError(f"call {{number}} gave {{ctypes.get_errno()}}")
        return [0, 0]
    """
    assert len(jail.acts(body)) == 1


arguments = st.tuples(*[st.integers(0, 2**64 - 1)] * 6)


@given(st.integers(0, 2**32 - 1), arguments)
def test_no_other_architecture_and_no_x32(number: int, given_arguments: tuple[int, ...]) -> None:
    assert verdict(number, given_arguments, I386) == KILL
    assert verdict(number | 0x4000_0000, given_arguments) == KILL


@given(st.integers(0, 2**30 - 1), arguments)
def test_what_is_not_known_is_trapped_whatever_its_arguments(
    number: int, given_arguments: tuple[int, ...]
) -> None:
    if number not in KNOWN:
        assert verdict(number, given_arguments) == TRAP


@given(st.sampled_from(["mmap", "mprotect"]), arguments, st.integers(0, 2**64 - 1))
def test_nothing_becomes_executable(name: str, given_arguments: tuple[int, ...], protection: int) -> None:
    first, second, _, *rest = given_arguments
    says = verdict(NUMBERS[name], (first, second, protection, *rest))
    assert says == (TRAP if protection & 4 else ALLOW)


@given(st.sampled_from(["kill", "tgkill"]), arguments)
def test_signals_go_to_itself_only(name: str, given_arguments: tuple[int, ...]) -> None:
    _, *rest = given_arguments
    says = verdict(NUMBERS[name], given_arguments)
    assert says == (ALLOW if given_arguments[0] & 0xFFFF_FFFF == PID else TRAP)
    assert verdict(NUMBERS[name], (PID, *rest)) == ALLOW


@given(arguments)
def test_new_processes_and_threads_and_the_traps_own_signal(given_arguments: tuple[int, ...]) -> None:
    _, *rest = given_arguments
    flags = given_arguments[0]
    assert verdict(NUMBERS["clone"], given_arguments) == (ERRNO | errno.EAGAIN if flags & 0x10000 else TRAP)
    assert verdict(NUMBERS["rt_sigaction"], (31, *rest)) == KILL


@pytest.mark.parametrize(
    ("advice", "says"), [(4, ALLOW), (14, ALLOW), (12, TRAP), (100, TRAP), (2**32 - 1, TRAP)]
)
def test_advice_on_memory(advice: int, says: int) -> None:
    assert verdict(NUMBERS["madvise"], (0, 0, advice, 0, 0, 0)) == says
