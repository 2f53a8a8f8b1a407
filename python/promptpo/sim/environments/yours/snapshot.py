"""A folder as it is at one moment: its files' bytes in one hash, its Python sources in memory.

Owns what counts: every regular file but hidden ones and compiled Python. Two snapshots of equal digest hold
the same bytes under the same names.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from promptpo.sim.environments.unknown import BrokenEnvironment

MAX_BYTES: Final = 256 << 20
"""All of it is read before every episode; what is larger than this is no environment but its data."""


@dataclass(frozen=True)
class Snapshot:
    """One reading of a folder."""

    root: Path
    digest: str
    """Lower-case hex sha-256 over path and bytes of every file, in the order of the paths."""
    sources: Mapping[str, bytes]
    """The `.py` files by path with forward slashes, relative to the root."""


def snapshot(root: Path) -> Snapshot:
    """Reads the folder. Raises BrokenEnvironment where that is not possible."""
    digest = hashlib.sha256()
    sources: dict[str, bytes] = {}
    size = 0
    try:
        for name in _files(root):
            data = (root / name).read_bytes()
            size += len(data)
            if size > MAX_BYTES:
                raise BrokenEnvironment(
                    f"{root}: has more than {MAX_BYTES >> 20} MiB; keep large data elsewhere"
                )
            # Lengths first: no name and content can be shifted into another's.
            path = name.encode("utf-8", "surrogateescape")
            digest.update(len(path).to_bytes(8, "little") + path + len(data).to_bytes(8, "little"))
            digest.update(data)
            if name.endswith(".py"):
                sources[name] = data
    except OSError as error:
        raise BrokenEnvironment(f"{root}: cannot be read: {error}") from error
    return Snapshot(root, digest.hexdigest(), sources)


def _files(root: Path) -> list[str]:
    found: list[str] = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "__pycache__"]
        for name in names:
            path = Path(folder, name)
            if not name.startswith(".") and not name.endswith(".pyc") and path.is_file():
                found.append(path.relative_to(root).as_posix())
    return sorted(found)
