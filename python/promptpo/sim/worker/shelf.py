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
from promptpo.sim.environments.registry import UnknownEnvironment, UnknownVariant
from promptpo.sim.errors import SimError

CAPACITY: Final = 3
"""A run uses one environment; two more let neighbours alternate without building anew."""


class Shelf:
    """Environments by (id, variant), the least recently used one goes first. Closed by its owner."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], Environment] = OrderedDict()

    def take(self, spec: EnvironmentSpec) -> Environment:
        """The environment of `spec`, built if need be; it stays the shelf's."""
        key = (spec.id, spec.variant)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        while len(self._kept) >= CAPACITY:
            self._kept.popitem(last=False)[1].close()
        made = _build(spec)
        self._kept[key] = made
        return made

    def discard(self, environment: Environment) -> None:
        """After a failure of the simulator: the next job gets a new one."""
        self._kept.pop((environment.spec.id, environment.spec.variant), None)
        environment.close()

    def close(self) -> None:
        """Closes all; may be called twice."""
        while self._kept:
            self._kept.popitem()[1].close()


@contextmanager
def built(spec: EnvironmentSpec) -> Iterator[Environment]:
    """An environment for one job, closed at its end: a renderer holds memory that episodes do not need."""
    environment = _build(spec)
    try:
        yield environment
    finally:
        environment.close()


def _build(spec: EnvironmentSpec) -> Environment:
    try:
        return registry.make(spec.id, spec.variant)
    except Exception as error:
        message = f"{spec.id} cannot be built: {type(error).__name__}: {error}"
        raise SimError("SIMULATOR_FAILED", message) from error


def find_spec(id: str, variant: str) -> EnvironmentSpec:  # noqa: A002 - the contract's own word
    """The spec that a request names (variant "" is the default). Raises SimError with the nearest names."""
    try:
        return registry.spec(id, variant or None)
    except UnknownEnvironment as error:
        raise SimError("UNKNOWN_ENVIRONMENT", str(error), {"nearest": ",".join(error.nearest)}) from error
    except UnknownVariant as error:
        raise SimError("UNKNOWN_VARIANT", str(error), {"variants": ",".join(error.variants)}) from error
