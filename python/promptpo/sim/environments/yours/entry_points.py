"""Environments of installed packages: entry points of the group `promptpo.environments`.

Owns what such an entry point may yield: a Family, the path of a folder with an environment.toml, a sequence
of these, or a function without arguments that returns one of them. One that fails is logged and left out.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Final

from promptpo.sim.environments.base import EnvironmentSpec
from promptpo.sim.environments.family import Family
from promptpo.sim.environments.yours.revision import module_revision
from promptpo.sim.logs import log

GROUP: Final = "promptpo.environments"


@dataclass(frozen=True)
class Offered:
    """A Family of an installed package and its specs, each with the package's revision."""

    family: Family
    specs: tuple[EnvironmentSpec, ...]


@dataclass(frozen=True)
class Installed:
    """What all entry points yield."""

    families: tuple[Offered, ...]
    folders: tuple[Path, ...]


@cache
def installed() -> Installed:
    """Loaded at the first call, for the life of the process."""
    families: list[Offered] = []
    folders: list[Path] = []
    for point in sorted(entry_points(group=GROUP), key=lambda each: (each.name, each.value)):
        try:
            for thing in _things(point.load()):
                if isinstance(thing, str | os.PathLike):
                    folders.append(Path(thing).resolve())
                else:
                    families.append(_offered(point, thing))
        except (Exception, SystemExit) as error:
            log("error", "an entry point for environments does not work", entry_point=str(point), error=error)
    return Installed(tuple(families), tuple(folders))


def _things(loaded: Any) -> Iterator[Any]:  # noqa: ANN401 - whatever a package offers
    if callable(loaded) and (isinstance(loaded, type) or not _is_family(loaded)):
        loaded = loaded()
    if isinstance(loaded, str | os.PathLike) or _is_family(loaded):
        yield loaded
    elif isinstance(loaded, Iterable):
        for each in loaded:
            yield from _things(each)
    else:
        raise TypeError(f"expected a Family, a folder's path, or several of them, got {loaded!r}")


def _is_family(thing: object) -> bool:
    return all(callable(getattr(thing, name, None)) for name in ("specs", "make", "texts"))


def _offered(point: EntryPoint, family: Family) -> Offered:
    import sys

    revision = module_revision(sys.modules[point.module])
    return Offered(family, tuple(replace(spec, revision=revision) for spec in family.specs()))
