"""The bare loop: `bare_steps.py ENVIRONMENT COUNT STEPS`.

One process, one environment; the round's environments come one after another.
"""

from __future__ import annotations

import sys
from time import perf_counter

from bare_environments import bare
from serving import Measurement, serve
from step_work import work_of


def main() -> None:
    """See the top of the file."""
    work = work_of(sys.argv[1:])
    env = bare(work.environment)
    # A contiguous row a step, as a vector environment hands them out.
    actions = [list(work.actions()[:, index].copy()) for index in range(work.count)]

    def measure(round_number: int) -> Measurement:
        totals = []
        begun = perf_counter()
        for seed, own in zip(work.seeds(round_number), actions, strict=True):
            env.reset(seed)
            total = 0.0
            step = env.step
            for action in own:
                _, reward, _, _, _ = step(action)
                total += reward
            totals.append(float(total))
        return Measurement(perf_counter() - begun, work.amount, totals)

    serve(measure)


if __name__ == "__main__":
    main()
