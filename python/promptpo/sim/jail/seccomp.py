"""The system calls of a policy process: an allow-list as a classic BPF program.

Owns the list and its reasons. Four answers: allowed; refused with an errno, for what innocent code tries and
can recover from (a file, a thread); trapped, which ends the process with the call's name in the report;
killed, for what would disarm the trap itself.
"""

from __future__ import annotations

import ctypes
import errno
import struct
from typing import Final

from .syscalls import NUMBERS, syscall

_ALLOW: Final = 0x7FFF_0000
_KILL: Final = 0x8000_0000
_TRAP: Final = 0x0003_0000
_ERRNO: Final = 0x0005_0000

_LOAD, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _JUMP_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_AT_NUMBER, _AT_ARCHITECTURE, _AT_ARGUMENTS = 0, 4, 16
_X86_64: Final = 0xC000_003E
_X32_BIT: Final = 0x4000_0000
_PROT_EXEC: Final = 4
_CLONE_THREAD: Final = 0x10000
_MERGEABLE: Final = 12
"""madvise: pages that are merged with equal ones tell by their speed that somebody has an equal one."""
_FIRST_FOR_TESTING: Final = 100
"""madvise: from here on advice poisons the machine's own memory (where a process is privileged)."""
_SIGSYS: Final = 31

ALLOWED: Final[tuple[str, ...]] = (
    # Hot first: the program is walked from the top.
    *("read", "write", "futex", "munmap", "brk", "mremap"),
    *("rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall", "sched_yield"),
    *("clock_gettime", "clock_getres", "gettimeofday", "time", "times", "getrusage"),
    # Of open descriptors only: there are five, and no way to a sixth.
    *("readv", "writev", "close", "fstat", "lseek"),
    *("getpid", "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid", "sched_getaffinity"),
    *("exit", "exit_group"),
)

REFUSED: Final[dict[str, int]] = {
    **dict.fromkeys(
        (
            *(
                "open",
                "openat",
                "openat2",
                "creat",
                "stat",
                "lstat",
                "newfstatat",
                "statx",
                "statfs",
                "access",
            ),
            *(
                "faccessat",
                "faccessat2",
                "readlink",
                "readlinkat",
                "getcwd",
                "getdents",
                "getdents64",
                "chdir",
            ),
            *(
                "mkdir",
                "mkdirat",
                "rmdir",
                "rename",
                "renameat",
                "renameat2",
                "unlink",
                "unlinkat",
                "link",
                "linkat",
            ),
            *("symlink", "symlinkat", "chmod", "fchmodat", "truncate", "ftruncate", "flock", "fsync"),
        ),
        errno.EACCES,
    ),
    **dict.fromkeys(
        (
            *(
                "fcntl",
                "dup",
                "dup2",
                "dup3",
                "pipe",
                "pipe2",
                "poll",
                "ppoll",
                "select",
                "pselect6",
                "nanosleep",
            ),
            *("clock_nanosleep", "uname", "sysinfo", "getrlimit", "prlimit64", "umask", "sched_setaffinity"),
            *("alarm", "setitimer", "getitimer", "eventfd2", "epoll_create1", "wait4", "pread64", "pwrite64"),
        ),
        errno.EPERM,
    ),
    "ioctl": errno.ENOTTY,
    # Entropy comes from the keyed stream; what asks the kernel behind Python's back is told that there is
    # none.
    "getrandom": errno.ENOSYS,
    # glibc then tries clone, whose refusal Python reports as "can't start new thread".
    "clone3": errno.ENOSYS,
}


def _instruction(code: int, value: int, jump_true: int = 0, jump_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, jump_true, jump_false, value)


def _if_number(name: str, body: list[bytes]) -> list[bytes]:
    """`body` (which must end in a return) for the call `name`, else on to the next."""
    return [_instruction(_JUMP_EQUAL, NUMBERS[name], 0, len(body)), *body]


def _if_argument(index: int, test: int, value: int, then: int, otherwise: int) -> list[bytes]:
    """Returns `then` if the low half of argument `index` passes, else `otherwise`."""
    return [
        _instruction(_LOAD, _AT_ARGUMENTS + 8 * index),
        _instruction(test, value, 0, 1),
        _instruction(_RETURN, then),
        _instruction(_RETURN, otherwise),
    ]


def program(own_pid: int) -> bytes:
    """The filter of a process with this pid: signals may go to itself only (`abort` needs that)."""
    allow, kill, trap = (_instruction(_RETURN, action) for action in (_ALLOW, _KILL, _TRAP))
    lines = [
        _instruction(_LOAD, _AT_ARCHITECTURE),
        _instruction(_JUMP_EQUAL, _X86_64, 1, 0),
        kill,
        _instruction(_LOAD, _AT_NUMBER),
        _instruction(_JUMP_GREATER_EQUAL, _X32_BIT, 0, 1),
        kill,
    ]
    for name in ALLOWED:
        lines += _if_number(name, [allow])
    for name in ("mmap", "mprotect"):
        lines += _if_number(name, _if_argument(2, _JUMP_BITS, _PROT_EXEC, _TRAP, _ALLOW))
    lines += _if_number(
        "madvise",
        [
            _instruction(_LOAD, _AT_ARGUMENTS + 8 * 2),
            _instruction(_JUMP_GREATER_EQUAL, _FIRST_FOR_TESTING, 1, 0),
            _instruction(_JUMP_EQUAL, _MERGEABLE, 0, 1),
            trap,
            allow,
        ],
    )
    lines += _if_number("rt_sigaction", _if_argument(0, _JUMP_EQUAL, _SIGSYS, _KILL, _ALLOW))
    for name in ("kill", "tgkill"):
        lines += _if_number(name, _if_argument(0, _JUMP_EQUAL, own_pid, _ALLOW, _TRAP))
    lines += _if_number("clone", _if_argument(0, _JUMP_BITS, _CLONE_THREAD, _ERRNO | errno.EAGAIN, _TRAP))
    for name, number in REFUSED.items():
        lines += _if_number(name, [_instruction(_RETURN, _ERRNO | number)])
    return b"".join([*lines, trap])


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def restrict_self(own_pid: int) -> None:
    """Puts the filter on this process, for good. Needs no_new_privs. Raises ConfinementError."""
    code = program(own_pid)
    set_mode_filter = 1
    syscall(
        "seccomp",
        ctypes.c_uint(set_mode_filter),
        ctypes.c_uint(0),
        ctypes.byref(_Program(len(code) // 8, code)),
    )
