"""The worker's end of the warm parents: starts them, asks them to fork, learns how processes ended.

Owns the parent's clean environment: nothing of the caller's reaches a policy but what selects numeric
kernels.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import promptpo

from ..numeric_environment import NUMERIC_ENVIRONMENT
from .control import (
    MAX_MESSAGE_BYTES,
    SCIENTIFIC,
    UNCONFINED,
    Disown,
    Fork,
    Forked,
    Reap,
    Reaped,
    Request,
    Warm,
)
from .landlock import ABI_MAX

_PASSED_ON: Final = (
    *("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "NPY_DISABLE_CPU_FEATURES", "LD_LIBRARY_PATH"),
    ABI_MAX,
)
"""What decides which numeric kernels run (and where their libraries lie) must be the same inside and
outside; and how old a kernel is played."""


class WarmParentDied(RuntimeError):
    """The warm parent is gone: no policy can be started any more. Ours; a new worker starts a new one."""


class WarmParent:
    """The warm parents of one worker: a light one, and one with scipy that starts when a source first asks
    for it.

    A fork copies the table of its parent's pages, and scipy makes that three times as long. Not thread-safe.
    """

    def __init__(self, unconfined: bool) -> None:
        self._unconfined = unconfined
        self._light = _Parent(unconfined, scientific=False)
        self._scientific: _Parent | None = None

    @property
    def landlock_abi(self) -> int:
        """The kernel's Landlock ABI as a parent found it. Waits until the light one is warm."""
        return self._light.landlock_abi

    def fork(self, source: str) -> ForkedProcess:
        """A new policy process for `source`, waiting for its Setup. Raises WarmParentDied; OSError if the
        kernel refuses."""
        if not names_scipy(source):
            return self._light.fork()
        if self._scientific is None:
            self._scientific = _Parent(self._unconfined, scientific=True)
        return self._scientific.fork()

    def close(self) -> None:
        """Ends the parents and with them every policy process; may be called twice."""
        for parent in (self._light, self._scientific):
            if parent is not None:
                parent.close()


@dataclass
class ForkedProcess:
    """A policy process as the worker holds it; whoever forked it closes the descriptors."""

    pid: int
    pidfd: int
    request_fd: int
    """Write end: requests go in."""
    answer_fd: int
    """Read end: answers come out."""
    _parent: _Parent

    def reap(self) -> Reaped:
        """How the process ended. It must be dead or dying: this waits for its end."""
        return self._parent.reap(self.pid)

    def disown(self) -> None:
        """Leaves a killed process to its parent."""
        self._parent.disown(self.pid)


class _Parent:
    """One warm parent."""

    def __init__(self, unconfined: bool, *, scientific: bool) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-P", "-s", "-m", "promptpo.sim.jail.parent", str(theirs.fileno())]
        if unconfined:
            command.append(UNCONFINED)
        if scientific:
            command.append(SCIENTIFIC)
        with theirs:
            self._process = subprocess.Popen(
                command,
                env=_clean_environment(),
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr.fileno(),
                cwd="/",
            )
        self._control = ours
        self._landlock_abi: int | None = None

    @property
    def landlock_abi(self) -> int:
        """See WarmParent."""
        if self._landlock_abi is None:
            self._landlock_abi = Warm.decode(self._receive()).landlock_abi
        return self._landlock_abi

    def fork(self) -> ForkedProcess:
        """See WarmParent."""
        self.landlock_abi  # noqa: B018  waits for the parent's first word
        request_read, request_write = os.pipe2(os.O_CLOEXEC)
        answer_read, answer_write = os.pipe2(os.O_CLOEXEC)
        try:
            self._send(Fork(), [request_read, answer_write])
            data, fds = self._receive_with_fds()
        except BaseException:
            os.close(request_write)
            os.close(answer_read)
            raise
        finally:
            os.close(request_read)
            os.close(answer_write)
        forked = Forked.decode(data)
        if forked.pid == 0:
            os.close(request_write)
            os.close(answer_read)
            raise OSError(forked.errno, f"no policy process could be forked: {os.strerror(forked.errno)}")
        return ForkedProcess(forked.pid, fds[0], request_write, answer_read, self)

    def reap(self, pid: int) -> Reaped:
        """See ForkedProcess."""
        self._send(Reap(pid), [])
        return Reaped.decode(self._receive())

    def disown(self, pid: int) -> None:
        """See ForkedProcess."""
        self._send(Disown(pid), [])

    def close(self) -> None:
        """See WarmParent."""
        self._control.close()
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _send(self, request: Request, fds: list[int]) -> None:
        try:
            socket.send_fds(self._control, [request.encode()], fds)
        except OSError as error:
            raise self._died() from error

    def _receive(self) -> bytes:
        return self._receive_with_fds()[0]

    def _receive_with_fds(self) -> tuple[bytes, list[int]]:
        try:
            data, fds, _, _ = socket.recv_fds(self._control, MAX_MESSAGE_BYTES, 1)
        except ConnectionError:
            data, fds = b"", []
        if not data:
            raise self._died()
        return data, fds

    def _died(self) -> WarmParentDied:
        return WarmParentDied(
            f"the warm parent of policy processes is gone (exit status {self._process.poll()})"
        )


def names_scipy(source: str) -> bool:
    """Whether a policy can import scipy: only if its source says the word."""
    return "scipy" in source


def _clean_environment() -> dict[str, str]:
    package_root = str(Path(promptpo.__file__).resolve().parent.parent)
    return {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "PYTHONPATH": package_root,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
        **NUMERIC_ENVIRONMENT,
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
    }
