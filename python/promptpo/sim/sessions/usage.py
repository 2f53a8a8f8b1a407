"""How much memory a sidecar's processes hold, read from /proc. Owns the walk over them; keeps nothing."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_PARENT, _RESIDENT_PAGES = 1, 21
"""Places in /proc/PID/stat, counted from behind the process's name, which may hold anything."""


def resident_bytes(pid: int) -> int:
    """Resident memory of a process and of all that it started; pages that they share count for each."""
    children: dict[int, list[int]] = {}
    pages: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):  # it ended meanwhile
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                children.setdefault(int(fields[_PARENT]), []).append(int(folder.name))
                pages[int(folder.name)] = int(fields[_RESIDENT_PAGES])
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return _PAGE_BYTES * sum(pages.get(each, 0) for each in found)
