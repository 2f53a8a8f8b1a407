"""The end of a bench's line in a measuring program: measures whenever it is told to, and not before.

Programs that are compared live side by side and take turns; one that waits here uses no core. Each line in is
`{"round": n}`, each line out a measurement. Nothing else reaches standard output once this is imported,
whatever simulators print when they are made.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Final

_answers: Final = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


@dataclass(frozen=True)
class Measurement:
    """What one turn came to."""

    seconds: float
    """Wall-clock time of the work alone."""
    amount: int
    """Environment steps done."""
    bits: Sequence[float] = field(default_factory=list)
    """Returns that the other programs must have to the last bit, in an order that all of them share."""
    episodes: int = 0


def serve(measure: Callable[[int], Measurement]) -> None:
    """Answers until standard input ends. `measure` is given the number of the round."""
    _say({"ready": True})
    for line in sys.stdin:
        _say(asdict(measure(json.loads(line)["round"])))


def pin_to_one_core() -> None:
    """This process and all that it starts share one core, the same for every program that asks for it."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def _say(message: object) -> None:
    # json writes repr of a float, which is read back to the same bits.
    print(json.dumps(message), file=_answers, flush=True)
