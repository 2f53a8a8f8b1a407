"""The Python modules of an environment's folder, imported from a snapshot and from nowhere else.

Each snapshot gets a package of a private name, within which the folder's modules find each other by their
plain names. So two folders may both have an `env.py`, an edited folder is imported anew beside its former
self, and what runs is what was hashed (no stale bytecode). Serves sources only, no compiled extensions.
"""

from __future__ import annotations

import builtins
import hashlib
import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from promptpo.sim.environments.yours.snapshot import Snapshot


class FolderModules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """The modules of one snapshot; they stay importable until `forget`."""

    def __init__(self, of: Snapshot) -> None:
        self._snapshot = of
        self._files = _modules(of.sources)
        self._tops = frozenset(name.partition(".")[0] for name in self._files)
        key = hashlib.sha256(f"{of.root}\0{of.digest}".encode("utf-8", "surrogateescape")).hexdigest()
        self._package = f"promptpo_environment_{key[:16]}"
        self._builtins = {**vars(builtins), "__import__": self._import}
        root = ModuleType(self._package, f"The modules of {of.root}.")
        root.__path__ = []
        sys.modules[self._package] = root
        sys.meta_path.insert(0, self)

    def has(self, name: str) -> bool:
        """Whether the folder has a module or package of this dotted name."""
        return name in self._files

    def load(self, name: str) -> ModuleType:
        """The module `name`, imported if need be. Raises whatever its own code raises."""
        return importlib.import_module(f"{self._package}.{name}")

    def loaded(self) -> list[ModuleType]:
        """The modules that were imported so far."""
        return [module for name, module in list(sys.modules.items()) if name.startswith(f"{self._package}.")]

    def forget(self) -> None:
        """After the last use by name; objects that are alive stay so. May be called twice."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        for name in list(sys.modules):
            if name == self._package or name.startswith(f"{self._package}."):
                del sys.modules[name]

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """See MetaPathFinder."""
        del path, target
        package, _, name = fullname.partition(".")
        if package != self._package or name not in self._files:
            return None
        file = self._files[name]
        is_package = file == "" or file.endswith("__init__.py")
        spec = importlib.machinery.ModuleSpec(fullname, self, is_package=is_package)
        if file:
            spec.origin = str(self._snapshot.root / file)
            spec.has_location = True  # modules find their data by __file__
        return spec

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        """The default module object."""
        del spec
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Runs the module's source as it was hashed."""
        file = self._files[module.__name__.partition(".")[2]]
        source = self._snapshot.sources[file] if file else b""
        code = compile(source, str(self._snapshot.root / file), "exec", dont_inherit=True)
        module.__dict__["__builtins__"] = self._builtins
        exec(code, module.__dict__)

    def _import(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,  # noqa: A002 - as the language calls them
        locals: Mapping[str, object] | None = None,  # noqa: A002
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:  # noqa: ANN401
        """`import` as the folder's modules see it: their neighbours first."""
        if level == 0 and name.partition(".")[0] in self._tops:
            module = self.load(name)
            for wanted in fromlist or ():
                if f"{name}.{wanted}" in self._files:
                    self.load(f"{name}.{wanted}")
            return module if fromlist else self.load(name.partition(".")[0])
        return builtins.__import__(name, globals, locals, fromlist or (), level)


def _modules(sources: Mapping[str, bytes]) -> dict[str, str]:
    """Dotted name -> file; "" for a folder that is a package without a file of its own."""
    files: dict[str, str] = {}
    for file in sources:
        parts = file.removesuffix(".py").split("/")
        if not all(part.isidentifier() for part in parts) or parts == ["__init__"]:
            continue
        for length in range(1, len(parts)):
            files.setdefault(".".join(parts[:length]), "")
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return files
