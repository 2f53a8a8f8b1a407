"""What a policy process gives up before it sees a line of the policy, in the order that makes each step hold.

Descriptors, resource limits, writable code, no_new_privs, Landlock, capabilities, seccomp. Fails closed: a
step that the kernel refuses raises ConfinementError, and the process ends before any hostile code ran.
"""

from __future__ import annotations

import os
import resource
from typing import Final

from . import landlock, seccomp
from .syscalls import (
    PR_SET_DUMPABLE,
    PR_SET_NO_NEW_PRIVS,
    PR_SET_PDEATHSIG,
    ConfinementError,
    drop_capabilities,
    own_pid,
    parent_pid,
    prctl,
    seal_code,
    supported,
)

STACK_BYTES: Final = 8 << 20
REQUEST_FD: Final = 3
ANSWER_FD: Final = 4
_OPEN_FDS: Final = 5


def detach(request_fd: int, answer_fd: int, forked_by: int) -> None:
    """Own session, dies with its parent, no descriptor but the frames (3, 4) and /dev/null (0, 1, 2).

    A policy's output goes nowhere: what it prints is neither trusted nor bounded.
    """
    os.setsid()
    prctl(PR_SET_PDEATHSIG, 9)
    if parent_pid() != forked_by:
        os._exit(1)  # the parent died between fork and prctl
    # Out of the way of 0..4 first, so that no dup2 overwrites a descriptor that is still needed.
    frames = [_at_least(fd, 16) for fd in (request_fd, answer_fd)]
    null = _at_least(os.open(os.devnull, os.O_RDWR), 16)
    for target in (0, 1, 2):
        os.dup2(null, target)
    os.dup2(frames[0], REQUEST_FD, inheritable=False)
    os.dup2(frames[1], ANSWER_FD, inheritable=False)
    os.closerange(_OPEN_FDS, 1 << 20)


def _at_least(fd: int, lowest: int) -> int:
    import fcntl

    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, lowest)


def limit_resources(address_space_bytes: int, cpu_s: int) -> None:
    """Resource limits, hard ones. `cpu_s` 0: no limit of CPU time here (the worker watches it anyway)."""
    limits = {
        resource.RLIMIT_AS: address_space_bytes,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_STACK: STACK_BYTES,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    if cpu_s > 0:
        limits[resource.RLIMIT_CPU] = cpu_s
    for which, value in limits.items():
        resource.setrlimit(which, (value, value))


def confine(landlock_abi: int) -> None:
    """After this call the process can compute and answer, nothing else."""
    if not supported():
        raise ConfinementError(0, "policies are confined on x86-64 Linux only")
    seal_code()
    prctl(PR_SET_DUMPABLE, 0)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    landlock.restrict_self(landlock_abi)  # needs one more descriptor for a moment
    drop_capabilities()
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FDS, _OPEN_FDS))
    seccomp.restrict_self(own_pid())
