"""What a policy may import: numpy, scipy if its source names it, and the standard library, without reading a
single file.

A jailed process can open nothing, so modules come from memory: the usual ones are imported by the warm
parent, every other module of the standard library that is pure Python is kept as source and served by a
finder. Refuses everything else, the simulators' packages above all: their sources hold rewards and expert
policies.
"""

from __future__ import annotations

import fcntl
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import linecache
import mmap
import os
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final

NUMERIC: Final[tuple[str, ...]] = (
    "numpy",
    "numpy.fft",
    "numpy.linalg",
    "numpy.ma",
    "numpy.polynomial",
    "numpy.random",
)

SCIENTIFIC: Final[tuple[str, ...]] = (
    "scipy",
    "scipy.cluster.vq",
    "scipy.constants",
    "scipy.fft",
    "scipy.integrate",
    "scipy.interpolate",
    "scipy._lib.cobyqa",
    "scipy._lib.pyprima",
    "scipy.linalg",
    "scipy.linalg._matfuncs_inv_ssq",
    "scipy.ndimage",
    "scipy.optimize",
    "scipy.optimize.elementwise",
    "scipy.signal",
    "scipy.sparse",
    "scipy.sparse._spfuncs",
    "scipy.sparse.csgraph",
    "scipy.sparse.linalg",
    "scipy.spatial",
    "scipy.spatial.distance",
    "scipy.spatial.transform",
    "scipy.special",
    "scipy.stats",
)

STANDARD: Final[tuple[str, ...]] = tuple(
    """
    __future__ abc array ast asyncio.base_futures base64 binascii bisect builtins bz2 calendar cmath
    collections collections.abc concurrent.futures contextlib contextvars copy copyreg csv ctypes
    dataclasses datetime decimal difflib dis enum errno fcntl fractions functools gc graphlib hashlib heapq
    hmac html inspect io itertools json keyword linecache locale logging lzma marshal math mmap numbers
    opcode operator os pathlib pickle platform pprint pyexpat queue random re reprlib resource sched secrets
    select selectors shutil signal socket statistics string stringprep struct subprocess sys sysconfig
    tempfile textwrap threading time timeit token tokenize traceback types typing unicodedata uuid warnings
    weakref zlib zoneinfo _bisect _csv _datetime _decimal _elementtree _heapq _json _lsprof _posixsubprocess
    _queue _random _socket _statistics _struct _zoneinfo
    """.split()  # noqa: SIM905  a list of strings would take a page
)
"""Imported beforehand: what policies use, and what is written in C (it cannot be loaded inside the jail)."""

_NOT_OFFERED: Final = frozenset(
    {"test", "idlelib", "lib2to3", "tkinter", "turtledemo", "ensurepip", "venv", "site"}
)
"""Parts of the standard library that no policy computes with; left out to keep the parent small."""


_OFFERED: Final = "a policy can import the standard library, numpy and scipy"
_WORD_MISSING: Final = "it is there for a policy whose source says the word"


class MemoryFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Serves the standard library's pure Python modules from memory, and says what else there is not."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec of a module that is kept here; ModuleNotFoundError for a whole package that is not."""
        del path, target
        place = self._sources.places.get(fullname)
        if place is not None:
            spec = importlib.machinery.ModuleSpec(fullname, self, is_package=place.is_package)
            spec.origin = f"<standard library: {fullname}>"
            return spec
        if "." not in fullname:
            hint = _WORD_MISSING if fullname == "scipy" else _OFFERED
            raise ModuleNotFoundError(f"No module named {fullname!r} ({hint})", name=fullname)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        """The default module object."""
        del spec
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Runs the module's source."""
        name = module.__name__
        code = compile(self._sources.read(name), f"<standard library: {name}>", "exec", dont_inherit=True)
        exec(code, module.__dict__)


@dataclass(frozen=True)
class Place:
    """Where a module's source lies in memory."""

    start: int
    size: int
    is_package: bool


@dataclass(frozen=True)
class Sources:
    """Sources of modules, one behind the other in a file that exists in memory only.

    It is sealed, and mapped to be read: a fork copies nothing of it, and no policy can write for others.
    """

    memory: mmap.mmap
    places: Mapping[str, Place]

    def read(self, name: str) -> bytes:
        """The source of module `name`."""
        place = self.places[name]
        return self.memory[place.start : place.start + place.size]


def preload(scientific: bool) -> None:
    """Imports what is imported beforehand. Raises ImportError if the scientific part is not installed."""
    for name in (*NUMERIC, *(SCIENTIFIC if scientific else ())):
        importlib.import_module(name)
    for name in STANDARD:
        try:
            importlib.import_module(name)
        except ImportError:
            # Some builds of Python lack parts in C (bz2, lzma): a policy then finds them missing too.
            continue
    _warm_blas()


def _warm_blas() -> None:
    """Has OpenBLAS take its buffer now: in a policy process it would count against the memory limit."""
    import numpy as np

    square = np.ones((64, 64))
    np.linalg.solve(square + 64.0 * np.eye(64), square @ square)


def seal_imports() -> None:
    """From here on modules come from memory only: nothing is searched for on disk."""
    finder = MemoryFinder(_standard_library())
    sys.meta_path[:] = [importlib.machinery.BuiltinImporter, importlib.machinery.FrozenImporter, finder]
    sys.path[:] = []
    sys.path_hooks[:] = []
    sys.path_importer_cache.clear()
    linecache.clearcache()


def _standard_library() -> Sources:
    """What is pure Python and not imported yet."""
    root = Path(sysconfig.get_paths()["stdlib"])
    places: dict[str, Place] = {}
    end = 0
    fd = os.memfd_create("standard library", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        for path in sorted(root.rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            if parts[0] in _NOT_OFFERED or not all(part.isidentifier() for part in parts) or "tests" in parts:
                continue
            is_package = parts[-1] == "__init__"
            name = ".".join(parts[:-1] if is_package else parts)
            if name and name not in sys.modules:
                size = os.write(fd, path.read_bytes())
                places[name] = Place(end, size, is_package)
                end += size
        seals = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
        return Sources(mmap.mmap(fd, end, mmap.MAP_PRIVATE, mmap.PROT_READ), places)
    finally:
        os.close(fd)
