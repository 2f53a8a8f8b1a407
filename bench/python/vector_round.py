"""A round on anything that is a gymnasium vector environment."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

from serving import Measurement
from step_work import Work


def vector_round(work: Work, env: Any) -> Callable[[int], Measurement]:  # noqa: ANN401 - gymnasium ships no types
    """Measures `work` on `env`."""
    actions = work.actions()

    def measure(round_number: int) -> Measurement:
        # Sums in step order, as a bare loop's.
        totals = np.zeros(work.count)
        begun = perf_counter()
        env.reset(seed=work.seeds(round_number))
        for row in actions:
            _, rewards, _, _, _ = env.step(row)
            totals += rewards
        return Measurement(perf_counter() - begun, work.amount, totals.tolist())

    return measure
