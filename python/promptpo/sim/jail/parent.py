"""A warm parent: an interpreter with numpy, scipy if asked for, and the standard library in memory, which
forks policy processes.

Started by the worker with a clean environment and one socket. Holds nothing that a policy may not see, runs
no hostile code, has one thread. Dies with the worker, and its policies with it.
"""

from __future__ import annotations

# The order of these imports is the point: see entropy.install and clock.install.
from . import entropy

_stream = entropy.install()

from . import clock as virtual_clock  # noqa: E402

_clock = virtual_clock.install()

import gc  # noqa: E402
import os  # noqa: E402
import resource  # noqa: E402
import signal  # noqa: E402
import socket  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import NoReturn  # noqa: E402

from . import preload  # noqa: E402
from .control import (  # noqa: E402
    MAX_MESSAGE_BYTES,
    SCIENTIFIC,
    UNCONFINED,
    Disown,
    Fork,
    Forked,
    Reap,
    Reaped,
    Warm,
    decode_request,
)
from .landlock import abi  # noqa: E402
from .syscalls import PR_SET_PDEATHSIG, on_forbidden_call, own_pid, prctl  # noqa: E402


class WarmParent:
    """Serves fork and reap requests, one at a time, until the worker goes away."""

    def __init__(self, control: socket.socket, unconfined: bool) -> None:
        self._control = control
        self._unconfined = unconfined
        self._landlock_abi = abi()
        self._disowned: set[int] = set()
        self._address_space_bytes = _address_space_bytes()

    def serve(self) -> None:
        """Until the socket ends."""
        self._control.sendall(Warm(self._landlock_abi).encode())
        while True:
            data, fds, _, _ = socket.recv_fds(self._control, MAX_MESSAGE_BYTES, 2)
            if not data:
                return
            self._reap_disowned()
            request = decode_request(data)
            if isinstance(request, Fork):
                self._fork(fds)
            elif isinstance(request, Reap):
                self._reap(request.pid)
            elif isinstance(request, Disown):
                self._disowned.add(request.pid)

    def _fork(self, fds: list[int]) -> None:
        request_fd, answer_fd = fds
        parent_pid = own_pid()
        try:
            pid = os.fork()
        except OSError as error:
            os.close(request_fd)
            os.close(answer_fd)
            self._control.sendall(Forked(0, error.errno or 0).encode())
            return
        if pid == 0:
            self._become_policy(parent_pid, request_fd, answer_fd)
        os.close(request_fd)
        os.close(answer_fd)
        # Not reaped yet, so the pid is still this process's.
        pidfd = os.pidfd_open(pid)
        socket.send_fds(self._control, [Forked(pid, 0).encode()], [pidfd])
        os.close(pidfd)

    def _become_policy(self, parent_pid: int, request_fd: int, answer_fd: int) -> NoReturn:
        from . import child

        try:
            child.run(
                child.Inheritance(
                    parent_pid=parent_pid,
                    address_space_bytes=self._address_space_bytes,
                    landlock_abi=self._landlock_abi,
                    unconfined=self._unconfined,
                    entropy=_stream,
                    clock=_clock,
                ),
                request_fd,
                answer_fd,
            )
        finally:
            os._exit(1)  # whatever happens, a child never becomes a second parent

    def _reap(self, pid: int) -> None:
        _, status, usage = os.wait4(pid, 0)
        self._control.sendall(Reaped(pid, status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss).encode())

    def _reap_disowned(self) -> None:
        for pid in tuple(self._disowned):
            if os.waitpid(pid, os.WNOHANG)[0] == pid:
                self._disowned.discard(pid)


def _address_space_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def main(arguments: list[str]) -> None:
    """Warms up, then serves on the socket whose descriptor is the first argument."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C on a terminal is the sidecar's to handle
    control = socket.socket(fileno=int(arguments[0]))
    preload.preload(SCIENTIFIC in arguments)
    from . import child  # all that a child needs is imported before the fork

    on_forbidden_call(child.TRAP)
    preload.seal_imports()
    sys.argv[:] = [""]
    # What exists now is never looked at by a child's garbage collector, and so not copied.
    gc.collect()
    gc.freeze()
    WarmParent(control, UNCONFINED in arguments).serve()


if __name__ == "__main__":
    main(sys.argv[1:])
