"""What an installed environment's code is: distributions and versions, or a hash where those say nothing.

Owns the rule. The numeric fingerprint covers gymnasium, MuJoCo, Meta-World, NumPy and SciPy for everybody;
what an environment needs beyond them is in its revision.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution, packages_distributions
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from promptpo.sim.environments.unknown import BrokenEnvironment
from promptpo.sim.environments.yours.snapshot import snapshot

_EVERYWHERE: Final = frozenset({"gymnasium", "metaworld", "mujoco", "numpy", "scipy", "promptpo"})
"""In the fingerprint already (ours changes with the service itself)."""


def environment_revision(env: Any) -> str:  # noqa: ANN401
    """Of a gymnasium environment: the module that holds its class, and what that module imports."""
    name = type(env.unwrapped).__module__
    return module_revision(sys.modules[name])


def module_revision(module: ModuleType) -> str:
    """`distribution==version` of the module, then of what it imports from elsewhere, sorted."""
    own = _of_package(module.__name__.partition(".")[0])
    return ", ".join((own, *(each for each in dependencies([module]) if each != own)))


def dependencies(modules: Iterable[ModuleType]) -> list[str]:
    """Revisions of the packages that modules have imported by name, the fingerprint's left out."""
    found: set[str] = set()
    for module in modules:
        for value in list(vars(module).values()):
            name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
            if isinstance(name, str):
                found.add(name.partition(".")[0])
        found.discard(module.__name__.partition(".")[0])
    names = {
        name
        for name in found
        if name in sys.modules and name not in sys.stdlib_module_names and name not in _EVERYWHERE
    }
    # What is served from memory is a folder's, and hashed as such.
    return sorted(_of_package(name) for name in names if getattr(sys.modules[name], "__file__", None))


@cache
def _of_package(name: str) -> str:
    """Asked when the package is imported, so that it speaks of the code that runs."""
    for candidate in _distributions().get(name, ()):
        try:
            found = distribution(candidate)
        except PackageNotFoundError:
            continue
        if not _is_editable(found):
            return f"{found.metadata['Name']}=={found.version}"
    return f"{name} {_hash(sys.modules[name])}"


@cache
def _distributions() -> dict[str, list[str]]:
    return {name: sorted(set(found)) for name, found in packages_distributions().items()}


def _is_editable(of: Distribution) -> bool:
    """Its version then says nothing of its code."""
    direct = of.read_text("direct_url.json")
    return direct is not None and bool(json.loads(direct).get("dir_info", {}).get("editable", False))


def _hash(module: ModuleType) -> str:
    file = getattr(module, "__file__", None)
    if file is None:
        raise BrokenEnvironment(f"the module {module.__name__} has no file, so its revision cannot be told")
    path = Path(file)
    if path.stem == "__init__":
        return f"sha256:{snapshot(path.parent).digest}"
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
