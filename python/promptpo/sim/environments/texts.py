"""The texts of an environment, by id: observation, implementation, reward in its kinds.

Owns the lookup only; the words live in the families' folders. Imports no simulator.
"""

from __future__ import annotations

from promptpo.sim.environments.family import Texts
from promptpo.sim.environments.registry import family_of

__all__ = ["Texts", "texts"]


def texts(id: str, variant: str | None = None) -> Texts:  # noqa: A002
    """The texts of `id` in `variant` (None: its default). Raises UnknownEnvironment, UnknownVariant."""
    family, spec = family_of(id, variant)
    found = family.texts(spec)
    if set(found.rewards) != set(spec.reward_kinds):
        raise ValueError(f"{id}: reward texts {sorted(found.rewards)}, spec {sorted(spec.reward_kinds)}")
    return found
