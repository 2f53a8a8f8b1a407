"""The private folder in which a sidecar's unix sockets live, and the remains of sidecars that were killed.

Owns its mode (nobody else may look in), its short path, and its end. A folder whose lock can be had belongs
to nobody any more and is removed by the next sidecar.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import tempfile
from itertools import count
from pathlib import Path
from typing import Final

_PREFIX: Final = "promptpo-sessions-"
_UNLOCKED_PREFIX: Final = "promptpo-unlocked-"
_LOCK: Final = "lock"
_LONGEST_PARENT: Final = 70
"""Characters; the kernel takes 107 for a socket's whole path."""


class SocketFolder:
    """Made at once; `remove` ends it."""

    def __init__(self) -> None:
        parent = tempfile.gettempdir()
        if len(parent) > _LONGEST_PARENT:
            parent = "/tmp"  # mkdtemp makes a folder in it that only we may enter
        _sweep(Path(parent))
        # Under its own name only once it is locked: a sidecar that starts meanwhile would sweep it away.
        unlocked = Path(tempfile.mkdtemp(prefix=_UNLOCKED_PREFIX, dir=parent))
        self._lock = os.open(unlocked / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.path: Final = unlocked.with_name(_PREFIX + unlocked.name.removeprefix(_UNLOCKED_PREFIX))
        unlocked.rename(self.path)
        self._numbers = count(1)

    def listen(self) -> socket.socket:
        """A new listening socket at a path of its own."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(self.path / str(next(self._numbers))))
        listener.listen(64)
        return listener

    def remove(self) -> None:
        """May be called twice."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _sweep(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # somebody else's, or gone meanwhile
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)
