"""Importing simulators without what they bring along: OpenGL, and words on stdout.

Owns MUJOCO_GL and stdout while that goes on. Knows no simulator.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from typing import TextIO


@contextlib.contextmanager
def importing_simulators() -> Iterator[None]:
    """Around the first import of MuJoCo: nothing on stdout, and no import of OpenGL.

    `import mujoco` loads MUJOCO_GL's backend and fails with it; a simulation that nobody watches needs none.
    When a frame is asked for, gymnasium's renderer loads the backend by itself. Several threads may be in
    here at once.
    """
    _aside.put()
    try:
        yield
    finally:
        _aside.put_back()


def asked_backend() -> str:
    """MUJOCO_GL as it is outside of `importing_simulators`, in lower case; "" if it is not set."""
    return _aside.asked()


class _Aside:
    """MUJOCO_GL and stdout: the first thread puts them aside, the last one puts them back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads = 0
        self._asked: str | None = None
        self._stdout: TextIO | None = None

    def asked(self) -> str:
        with self._lock:
            asked = self._asked if self._threads else os.environ.get("MUJOCO_GL")
        return (asked or "").strip().lower()

    def put(self) -> None:
        with self._lock:
            self._threads += 1
            if self._threads == 1:
                self._asked, self._stdout = os.environ.get("MUJOCO_GL"), sys.stdout
                sys.stdout = sys.stderr
                os.environ["MUJOCO_GL"] = "disable"

    def put_back(self) -> None:
        with self._lock:
            self._threads -= 1
            if self._threads == 0 and self._stdout is not None:
                sys.stdout = self._stdout
                if self._asked is None:
                    del os.environ["MUJOCO_GL"]
                else:
                    os.environ["MUJOCO_GL"] = self._asked


_aside = _Aside()
