"""The sidecar's worker without its server: `jailed_episodes.py ENVIRONMENT POLICY_FILE EPISODES`.

The same code that a sidecar runs for a block of episodes, jail on, a fresh process an episode, on one core
with its warm parent and every policy.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from time import perf_counter

from promptpo.sim.environments import registry
from promptpo.sim.jail.limits import Limits
from promptpo.sim.jail.warm_parent import WarmParent
from promptpo.sim.jail.watch import Watch
from promptpo.sim.worker.block import Runner
from promptpo.sim.worker.episode import Outcome, Progress, StepTimes
from promptpo.sim.worker.policies import Policies, Program

from serving import Measurement, pin_to_one_core, serve


def main(environment: str, policy: str, episodes: str) -> None:
    """See the top of the file."""
    pin_to_one_core()
    # As the worker does, before it starts its warm parent.
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    spec = registry.spec(environment)
    program = Program("act", Path(policy).read_text(), Limits())
    seeds = list(range(int(episodes)))
    parent = WarmParent(unconfined=False)
    environments = [registry.make(environment) for _ in range(min(spec.lanes, len(seeds)))]
    runner = Runner(Policies(parent, Watch()), environments, program, Progress())

    def measure(_round: int) -> Measurement:
        outcomes: dict[int, Outcome] = {}

        def report(outcome: Outcome, _: StepTimes) -> None:
            if outcome.error is not None:
                raise RuntimeError(f"the policy of {environment} failed: {outcome.error}")
            outcomes[outcome.seed] = outcome

        begun = perf_counter()
        runner.episodes(seeds, lambda _: None, report)
        seconds = perf_counter() - begun
        ordered = [outcomes[seed] for seed in seeds]
        return Measurement(
            seconds,
            sum(each.length for each in ordered),
            [each.return_value for each in ordered],
            len(seeds),
        )

    try:
        serve(measure)
    finally:
        parent.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
