"""Finds environments by id and variant.

Owns the list of families and the errors for names that nobody knows. Refuses to import a simulator for
anything but `make`.
"""

from __future__ import annotations

import difflib
from functools import cache
from importlib import import_module

from promptpo.sim.environments import yours
from promptpo.sim.environments.base import Environment, EnvironmentSpec
from promptpo.sim.environments.family import Family
from promptpo.sim.environments.unknown import BrokenEnvironment, UnknownEnvironment, UnknownVariant

__all__ = [
    "FAMILIES",
    "BrokenEnvironment",
    "UnknownEnvironment",
    "UnknownVariant",
    "family_of",
    "ids",
    "make",
    "spec",
]

FAMILIES = ("mujoco", "metaworld", "pointmaze", "noiseworld")
"""In the order in which ids are listed. Each is a package beside this file that exports `FAMILY`."""


def ids() -> tuple[str, ...]:
    """All environment ids, families in order, each once; then those of others' folders and packages."""
    ours = dict.fromkeys(name for name, _ in _table())
    return (*ours, *yours.ids(frozenset(ours)))


def spec(id: str, variant: str | None = None) -> EnvironmentSpec:  # noqa: A002
    """The spec of `id` in `variant` (None: its default). Raises UnknownEnvironment, UnknownVariant,
    BrokenEnvironment."""
    return _find(id, variant)[1]


def make(id: str, variant: str | None = None) -> Environment:  # noqa: A002
    """Builds an environment; the caller closes it. Raises UnknownEnvironment, UnknownVariant,
    BrokenEnvironment."""
    family, found = _find(id, variant)
    return family.make(found)


def family_of(id: str, variant: str | None = None) -> tuple[Family, EnvironmentSpec]:  # noqa: A002
    """The family that owns `id`, and the spec. Raises UnknownEnvironment, UnknownVariant,
    BrokenEnvironment."""
    return _find(id, variant)


def _find(id: str, variant: str | None) -> tuple[Family, EnvironmentSpec]:  # noqa: A002
    table = _table()
    variants = tuple(v for i, v in table if i == id)
    if not variants:
        theirs = yours.find(id, variant)
        if theirs is None:
            raise UnknownEnvironment(id, _nearest(id, ids()))
        return theirs
    found = table.get((id, variants[0] if variant is None else variant))
    if found is None:
        raise UnknownVariant(id, str(variant), variants)
    return found


@cache
def _table() -> dict[tuple[str, str], tuple[Family, EnvironmentSpec]]:
    found: dict[tuple[str, str], tuple[Family, EnvironmentSpec]] = {}
    for name in FAMILIES:
        family: Family = import_module(f"promptpo.sim.environments.{name}").FAMILY
        for each in family.specs():
            if (each.id, each.variant) in found:
                raise ValueError(f"two environments are called {each.id}, variant {each.variant}")
            found[each.id, each.variant] = (family, each)
    return found


def _nearest(id: str, known: tuple[str, ...]) -> tuple[str, ...]:  # noqa: A002
    # Case is ignored: "halfcheetah-v5" must find "HalfCheetah-v5" before anything that is merely as long.
    folded = {name.lower(): name for name in known}
    close = difflib.get_close_matches(id.lower(), folded, n=3, cutoff=0.5)
    return tuple(folded[name] for name in close)
