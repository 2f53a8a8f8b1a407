"""What attacks aim at, outside the jail: a secret file, a folder, a variable, listeners, another process.

Watched from outside: `harm` says what an attack did to it, whatever the policy's process claims.
"""

from __future__ import annotations

import os
import secrets
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Final, Self

VARIABLE: Final = "PROMPTPO_CANARY"

_VICTIM: Final = """
import os, signal
for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, lambda number, frame: os.write(1, b"signalled"))
os.write(1, b"r")
while True:
    signal.pause()
"""


class Target:
    """Made in an empty folder; a context."""

    def __init__(self, folder: Path) -> None:
        self.secret = secrets.token_hex(16)
        """Stands in the file and in the variable, and nowhere else: whoever tells it has read one."""
        self._folder = folder
        self._file = folder / "secret.txt"
        self._file.write_text(self.secret)
        self._shared = Path("/dev/shm") / f"promptpo-attack-{os.getpid()}"
        os.environ[VARIABLE] = self.secret
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", 0))
        self._unix = socket.socket(socket.AF_UNIX)
        self._unix_name = f"\0promptpo-attack-{os.getpid()}"
        self._unix.bind(self._unix_name)
        self._unix.listen()
        self._victim = subprocess.Popen([sys.executable, "-c", _VICTIM], stdout=subprocess.PIPE)
        assert self._victim.stdout is not None
        assert os.read(self._victim.stdout.fileno(), 1) == b"r"

    @property
    def names(self) -> dict[str, object]:
        """What attacks know: everything but the secret itself."""
        return {
            "SECRET_FILE": str(self._file),
            "FOLDER": str(self._folder),
            "SHARED_FILE": str(self._shared),
            "VARIABLE": VARIABLE,
            "TCP_PORT": self._tcp.getsockname()[1],
            "UDP_PORT": self._udp.getsockname()[1],
            "UNIX_NAME": self._unix_name,
            "VICTIM_PID": self._victim.pid,
            "WORKER_PID": os.getpid(),
        }

    def harm(self) -> list[str]:
        """What was done to it since the last time, repaired as far as the next attack needs it."""
        found = []
        added = [path for path in self._folder.iterdir() if path != self._file]
        if added:
            found.append("the folder was changed")
            for path in added:
                path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        if not self._file.exists() or self._file.read_text() != self.secret:
            found.append("the file was changed")
            self._file.write_text(self.secret)
        if self._shared.exists():
            found.append("a file was left in shared memory")
            self._shared.unlink()
        for name, listener in (("TCP", self._tcp), ("UDP", self._udp), ("unix", self._unix)):
            if _has_come(listener.fileno()):
                found.append(f"the {name} socket was reached")
                self._empty(listener)
        assert self._victim.stdout is not None
        if _has_come(self._victim.stdout.fileno()):  # it told of a signal, or ended
            found.append("the other process was signalled")
            os.read(self._victim.stdout.fileno(), 100)
        return found

    def _empty(self, listener: socket.socket) -> None:
        if listener is self._udp:
            listener.recv(1)
        else:
            listener.accept()[0].close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Takes everything down."""
        del os.environ[VARIABLE]
        for listener in (self._tcp, self._udp, self._unix):
            listener.close()
        self._victim.send_signal(signal.SIGKILL)
        self._victim.communicate()


def _has_come(fd: int) -> bool:
    return bool(select.select([fd], [], [], 0)[0])
