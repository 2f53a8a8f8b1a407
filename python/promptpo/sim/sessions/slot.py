"""One environment of a shard through its lives: made, reset, and made anew after it died.

Owns seeds: which one a reset uses that names none. Decides nothing about when an episode begins.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, TypeAlias

import gymnasium
import numpy as np

Env: TypeAlias = gymnasium.Env[Any, Any]


class Slot:
    """The place of one environment. `env` is None while it is dead."""

    def __init__(self, make: Callable[[], Env], seed: int | None, lives: int) -> None:
        """`seed` is for the first reset that names none. `lives` counts the environments that were lost in
        this place before: a seed is never used for the same episode twice on their account."""
        self._make = make
        self._lives = lives
        self._waiting_seed = seed if lives == 0 or seed is None else _later_seed(seed, lives)
        self._last_seed = seed
        self.env: Env | None = make()

    def begin(self, seed: int | None) -> object:
        """Resets the environment and returns its first observation; a dead one is made anew. Raises whatever
        the environment raises."""
        if self.env is None:
            self.env = self._make()
            if self._last_seed is not None:
                # A new object has no generator that could go on: it begins where the last seed says.
                self._waiting_seed = _later_seed(self._last_seed, self._lives)
        if seed is None:
            seed = self._waiting_seed
        self._waiting_seed = None
        if seed is not None:
            self._last_seed = seed
        observation, _ = self.env.reset(seed=seed)
        return observation

    def discard(self) -> None:
        """The environment raised: it is not used again."""
        env, self.env = self.env, None
        self._lives += 1
        if env is not None:
            with contextlib.suppress(Exception):  # it is broken; what it holds goes with the process at last
                env.close()


def _later_seed(seed: int, lives: int) -> int:
    """A seed for life number `lives` of a place; a function of both."""
    return int(np.random.SeedSequence((seed, lives)).generate_state(1)[0])
