"""What a caller is told of an environment that is not there, or not usable: the same from every method."""

from __future__ import annotations

from typing import Final, TypeAlias

from promptpo.sim.environments.registry import BrokenEnvironment, UnknownEnvironment, UnknownVariant
from promptpo.sim.errors import SimError

LookupFailure: TypeAlias = UnknownEnvironment | UnknownVariant | BrokenEnvironment
LOOKUP_FAILURES: Final = (UnknownEnvironment, UnknownVariant, BrokenEnvironment)


def lookup_error(error: LookupFailure) -> SimError:
    """With the nearest names, or the variants that there are."""
    if isinstance(error, UnknownEnvironment):
        return SimError("UNKNOWN_ENVIRONMENT", str(error), {"nearest": ",".join(error.nearest)})
    if isinstance(error, UnknownVariant):
        return SimError("UNKNOWN_VARIANT", str(error), {"variants": ",".join(error.variants)})
    return SimError("INVALID_ARGUMENT", str(error), {"field": "environment"})
