"""Finds environments by id and variant.

Owns the list of families and the errors for names that nobody knows. Refuses to import a simulator for
anything but `make`.
"""

from __future__ import annotations

import difflib
from functools import cache
from importlib import import_module

from promptpo.sim.environments.base import Environment, EnvironmentSpec
from promptpo.sim.environments.family import Family

FAMILIES = ("mujoco", "metaworld", "noiseworld")
"""In the order in which ids are listed. Each is a package beside this file that exports `FAMILY`."""


class UnknownEnvironment(LookupError):
    """No environment has this id. The caller's fault; `nearest` holds up to three ids that look like it."""

    def __init__(self, id: str, nearest: tuple[str, ...]) -> None:  # noqa: A002 - the spec's own word
        self.id = id
        self.nearest = nearest
        hint = f"; nearest: {', '.join(nearest)}" if nearest else ""
        super().__init__(f"no environment is called {id!r}{hint}")


class UnknownVariant(LookupError):
    """The environment exists and has no such variant. The caller's fault."""

    def __init__(self, id: str, variant: str, variants: tuple[str, ...]) -> None:  # noqa: A002
        self.id = id
        self.variant = variant
        self.variants = variants
        super().__init__(f"{id} has no variant {variant!r}; it has: {', '.join(variants)}")


def ids() -> tuple[str, ...]:
    """All environment ids, families in order, each once."""
    return tuple(dict.fromkeys(name for name, _ in _table()))


def spec(id: str, variant: str | None = None) -> EnvironmentSpec:  # noqa: A002
    """The spec of `id` in `variant` (None: its default). Raises UnknownEnvironment, UnknownVariant."""
    return _find(id, variant)[1]


def make(id: str, variant: str | None = None) -> Environment:  # noqa: A002
    """Builds an environment; the caller closes it. Raises UnknownEnvironment, UnknownVariant."""
    family, found = _find(id, variant)
    return family.make(found)


def family_of(id: str, variant: str | None = None) -> tuple[Family, EnvironmentSpec]:  # noqa: A002
    """The family that owns `id`, and the spec. Raises UnknownEnvironment, UnknownVariant."""
    return _find(id, variant)


def _find(id: str, variant: str | None) -> tuple[Family, EnvironmentSpec]:  # noqa: A002
    table = _table()
    known = ids()
    if id not in known:
        raise UnknownEnvironment(id, _nearest(id, known))
    variants = tuple(v for i, v in table if i == id)
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
