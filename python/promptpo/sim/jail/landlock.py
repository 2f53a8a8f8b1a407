"""Landlock: a policy process may touch no path at all, and no TCP port where the kernel knows how to say so.

The second wall behind seccomp, which refuses the calls themselves. ABI 1 is required; later rights are
handled where the kernel has them, so the same code confines on an older one.
"""

from __future__ import annotations

import ctypes
import os
from typing import Final

from .syscalls import ConfinementError, syscall

_FS_RIGHTS: Final[dict[int, int]] = {1: 13, 2: 14, 3: 15, 5: 16}
"""ABI -> how many file system rights it knows (the low bits)."""

_QUERY_VERSION: Final = 1

ABI_MAX: Final = "PROMPTPO_LANDLOCK_ABI_MAX"
"""Environment variable, for tests: the kernel is taken for one of this ABI at most."""


class _Attributes(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


def abi() -> int:
    """The kernel's Landlock ABI; 0 where there is none."""
    try:
        found = syscall("landlock_create_ruleset", None, ctypes.c_size_t(0), ctypes.c_uint(_QUERY_VERSION))
    except ConfinementError:
        return 0
    return min(found, int(os.environ.get(ABI_MAX, found)))


def restrict_self(version: int) -> None:
    """Takes every right that ABI `version` knows from this process, for good. Raises ConfinementError."""
    if version < 1:
        raise ConfinementError(0, "this kernel has no Landlock")
    rights = max(count for since, count in _FS_RIGHTS.items() if since <= version)
    attributes = _Attributes((1 << rights) - 1, 0b11 if version >= 4 else 0, 0b11 if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = syscall(
        "landlock_create_ruleset", ctypes.byref(attributes), ctypes.c_size_t(size), ctypes.c_uint(0)
    )
    try:
        syscall("landlock_restrict_self", ctypes.c_int(ruleset), ctypes.c_uint(0))
    finally:
        os.close(ruleset)
