"""What the stepping programs of a row have in common: the work of a round, so that all of them do the same.

A round is one episode's beginning in each of `count` environments, `steps` steps long, all from seeds that
the round names; the bits of a round are each environment's sum of rewards. EnvPool's seeds are its own: rows
with it compare speed alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

ACTION_SIZES: Final = {"HalfCheetah-v5": 6, "button-press-v3": 4}
"""Each a float32 box of [-1, 1]."""


@dataclass(frozen=True)
class Work:
    """The work of every round."""

    environment: str
    count: int
    steps: int
    """Of each environment; no more than its horizon, so that no episode ends before the last step."""

    def actions(self) -> npt.NDArray[np.float32]:
        """`(steps, count, size)`, the same in every round and program."""
        shape = (self.steps, self.count, ACTION_SIZES[self.environment])
        return np.random.default_rng(0).uniform(-1.0, 1.0, shape).astype(np.float32)

    def seeds(self, round_number: int) -> list[int]:
        """One an environment."""
        return [1000 * round_number + index for index in range(self.count)]

    @property
    def amount(self) -> int:
        """Steps of a round, all environments together."""
        return self.count * self.steps


def work_of(arguments: list[str]) -> Work:
    """`ENVIRONMENT COUNT STEPS` of a command line."""
    environment, count, steps = arguments
    return Work(environment, int(count), int(steps))
