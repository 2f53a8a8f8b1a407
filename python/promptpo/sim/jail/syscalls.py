"""The kernel calls that Python does not offer: prctl, Landlock, seccomp, sigaction, through ctypes.

Owns numbers and structures of the x86-64 ABI. Decides nothing: what is allowed stands in seccomp.py and
confine.py.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import re
from collections.abc import Callable
from typing import Any, Final

PR_SET_PDEATHSIG: Final = 1
PR_SET_DUMPABLE: Final = 4
PR_SET_NO_NEW_PRIVS: Final = 38

NUMBERS: Final[dict[str, int]] = {
    name: int(number)
    for name, number in re.findall(
        r"(\w+)=(\d+)",
        """
        read=0 write=1 open=2 close=3 stat=4 fstat=5 lstat=6 poll=7 lseek=8 mmap=9 mprotect=10 munmap=11
        brk=12 rt_sigaction=13 rt_sigprocmask=14 rt_sigreturn=15 ioctl=16 pread64=17 pwrite64=18 readv=19
        writev=20 access=21 pipe=22 select=23 sched_yield=24 mremap=25 msync=26 mincore=27 madvise=28
        shmget=29 shmat=30 dup=32 dup2=33 pause=34 nanosleep=35 getitimer=36 alarm=37 setitimer=38 getpid=39
        sendfile=40 socket=41 connect=42 accept=43 sendto=44 recvfrom=45 sendmsg=46 recvmsg=47 shutdown=48
        bind=49 listen=50 socketpair=53 clone=56 fork=57 vfork=58 execve=59 exit=60 wait4=61 kill=62
        uname=63 semget=64 fcntl=72 flock=73 fsync=74 truncate=76 ftruncate=77 getdents=78 getcwd=79
        chdir=80 fchdir=81 rename=82 mkdir=83 rmdir=84 creat=85 link=86 unlink=87 symlink=88 readlink=89
        chmod=90 fchmod=91 chown=92 umask=95 gettimeofday=96 getrlimit=97 getrusage=98 sysinfo=99 times=100
        ptrace=101 getuid=102 getgid=104 setuid=105 setgid=106 geteuid=107 getegid=108 setpgid=109
        getppid=110 setsid=112 sigaltstack=131 personality=135 statfs=137 prctl=157 setrlimit=160 chroot=161
        mount=165 umount2=166 gettid=186 tkill=200 time=201 futex=202 sched_setaffinity=203
        sched_getaffinity=204 getdents64=217 restart_syscall=219 clock_gettime=228 clock_getres=229
        clock_nanosleep=230 exit_group=231 tgkill=234 openat=257 mkdirat=258 newfstatat=262 unlinkat=263
        renameat=264 linkat=265 symlinkat=266 readlinkat=267 fchmodat=268 faccessat=269 pselect6=270
        ppoll=271 unshare=272 set_robust_list=273 eventfd2=290 epoll_create1=291 dup3=292 pipe2=293
        inotify_init1=294 perf_event_open=298 prlimit64=302 setns=308 process_vm_readv=310
        process_vm_writev=311 renameat2=316 seccomp=317 getrandom=318 memfd_create=319 bpf=321 execveat=322
        userfaultfd=323 pkey_mprotect=329 statx=332 rseq=334 io_uring_setup=425 pidfd_open=434 clone3=435
        openat2=437 pidfd_getfd=438 faccessat2=439 landlock_create_ruleset=444 landlock_add_rule=445
        landlock_restrict_self=446
        """,
    )
}
"""The names that reports use; a number that is missing here is shown as a number."""

NAMES: Final[dict[int, str]] = {number: name for name, number in NUMBERS.items()}

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_libc.prctl.argtypes = (ctypes.c_int,) + (ctypes.c_ulong,) * 4


class ConfinementError(OSError):
    """The kernel refuses a confinement that we need. Ours, never the policy's fault."""


def supported() -> bool:
    """Whether this machine is one whose system call numbers stand above."""
    return os.uname().sysname == "Linux" and platform.machine() == "x86_64"


def prctl(option: int, value: int) -> None:
    """prctl(2) with one argument. Raises ConfinementError."""
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        raise _refused(f"prctl({option})")


def syscall(name: str, *arguments: object) -> int:
    """A system call of the table. Raises ConfinementError when it fails."""
    result = _libc.syscall(ctypes.c_long(NUMBERS[name]), *arguments)
    if result < 0:
        raise _refused(name)
    return int(result)


def own_pid() -> int:
    """The real getpid(2): Python's own is replaced in the warm parent."""
    return int(_libc.getpid())


def parent_pid() -> int:
    """The real getppid(2)."""
    return int(_libc.getppid())


def _refused(what: str) -> ConfinementError:
    number = ctypes.get_errno()
    return ConfinementError(number, f"{what} failed: {errno.errorcode.get(number, number)}")


class _SigAction(ctypes.Structure):
    _fields_ = (
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_byte * 128),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    )


_SA_SIGINFO: Final = 4
_HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
_kept: list[Any] = []


def on_forbidden_call(report: Callable[[int], None]) -> None:
    """Has `report` called with the number of a system call that seccomp traps; it must not return.

    The signal is synchronous (raised by the very call), so running Python in the handler is as safe as the
    call itself was; should it return nevertheless, the forbidden call has still not been made. Needs
    executable memory for the callback, so it must run before confinement.
    """

    def handle(_signal: int, info: int, _context: int) -> None:
        report(ctypes.c_int.from_address(info + 24).value)

    callback = _HANDLER(handle)
    action = _SigAction(ctypes.cast(callback, ctypes.c_void_p), (ctypes.c_byte * 128)(), _SA_SIGINFO, None)
    _kept[:] = [callback, action]
    if _libc.sigaction(31, ctypes.byref(action), None) != 0:
        raise _refused("sigaction(SIGSYS)")
