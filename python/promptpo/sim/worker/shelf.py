"""The environments that a worker keeps between jobs.

Building one costs up to a second, keeping one up to 190 MB.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from promptpo.sim.environments import registry
from promptpo.sim.environments.base import Environment, EnvironmentSpec
from promptpo.sim.errors import SimError
from promptpo.sim.lookup_errors import LOOKUP_FAILURES, lookup_error

CAPACITY: Final = 3
"""Kinds that are kept: a run uses one; two more let neighbours alternate without building anew."""


class Shelf:
    """Environments by id, variant and revision, the least recently used one goes first. Closed by its
    owner."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str, str], list[Environment]] = OrderedDict()

    def take(self, spec: EnvironmentSpec, count: int = 1) -> list[Environment]:
        """`count` environments of `spec`, built if need be; they stay the shelf's."""
        key = _key(spec)
        if key not in self._kept:
            while len(self._kept) >= CAPACITY:
                _close(self._kept.popitem(last=False)[1])
            self._kept[key] = []
        self._kept.move_to_end(key)
        found = self._kept[key]
        while len(found) < count:
            found.append(_build(spec))
        return found[:count]

    def discard(self, spec: EnvironmentSpec) -> None:
        """After a failure of the simulator: the next job gets new ones."""
        _close(self._kept.pop(_key(spec), []))

    def close(self) -> None:
        """Closes all; may be called twice."""
        while self._kept:
            _close(self._kept.popitem()[1])


@contextmanager
def built(spec: EnvironmentSpec) -> Iterator[Environment]:
    """An environment for one job, closed at its end: a renderer holds memory that episodes do not need."""
    environment = _build(spec)
    try:
        yield environment
    finally:
        environment.close()


def _key(spec: EnvironmentSpec) -> tuple[str, str, str]:
    return spec.id, spec.variant, spec.revision


def _close(environments: list[Environment]) -> None:
    for environment in environments:
        environment.close()


def _build(spec: EnvironmentSpec) -> Environment:
    try:
        family, found = registry.family_of(spec.id, spec.variant)
        if found.revision != spec.revision:
            raise _changed(spec.id, spec.revision, found.revision)
        return family.make(found)
    except SimError:
        raise
    except Exception as error:
        message = f"{spec.id} cannot be built: {type(error).__name__}: {error}"
        raise SimError("SIMULATOR_FAILED", message) from error


def find_spec(id: str, variant: str) -> EnvironmentSpec:  # noqa: A002 - the contract's own word
    """The spec that a request names (variant "" is the default). Raises SimError with the nearest names.

    `id@revision` asks for that revision and no other: CONFLICT where the environment was changed since.
    """
    id, _, revision = id.partition("@")  # noqa: A001
    try:
        found = registry.spec(id, variant or None)
    except LOOKUP_FAILURES as error:
        raise lookup_error(error) from error
    if revision and found.revision != revision:
        raise _changed(id, revision, found.revision)
    return found


def _changed(id: str, asked: str, found: str) -> SimError:  # noqa: A002
    message = f"{id} is at revision {found} now and not at {asked}: it was changed meanwhile; ask again"
    return SimError("CONFLICT", message, {"revision": found})
