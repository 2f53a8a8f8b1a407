"""Runs a block: one policy, some seeds, each episode reported as it ends.

Owns which episodes go on side by side. An episode waits for its policy's process at every step; while one
waits, the others step, so that a core changes between processes once a step and not twice, and a simulator's
code stays in the caches for several steps. What an episode comes to does not depend on its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TypeAlias

from promptpo.sim.environments.base import Environment
from promptpo.sim.jail.action import ActionJudge
from promptpo.sim.jail.policy_process import PolicyProcess
from promptpo.sim.policy_error import PolicyFailed
from promptpo.sim.worker.episode import Outcome, Progress, Recorder, StepTimes, play
from promptpo.sim.worker.policies import Policies, Program

RecorderOf: TypeAlias = Callable[[int], Recorder | None]
"""The recorder of the episode of a seed, asked for before it begins."""

Report: TypeAlias = Callable[[Outcome, StepTimes], None]

_Lane: TypeAlias = Generator[None, None, None]


@dataclass(frozen=True)
class Runner:
    """Runs episodes of one program on environments of one kind, an episode on each at a time."""

    policies: Policies
    environments: Sequence[Environment]
    program: Program
    progress: Progress

    def episodes(self, seeds: list[int], recorder_of: RecorderOf, report: Report) -> None:
        """A fresh process and object for each episode; reported in the order in which they end."""
        environments = self.environments[: len(seeds)]
        program, waiting = _patient(self.program, len(environments)), iter(seeds)
        lanes = [self._lane(each, program, waiting, recorder_of, report) for each in environments]
        running = lanes
        try:
            while running:
                running = [lane for lane in running if next(lane, _ended) is None]
        finally:
            for lane in lanes:
                lane.close()

    def one_object(self, seeds: list[int], recorder_of: RecorderOf, report: Report) -> None:
        """One process and object for all episodes, in order; after a failure the next episode begins with
        a new one."""
        environment = self.environments[0]
        policy: tuple[PolicyProcess, ActionJudge] | None = None
        with ExitStack() as stack:
            for seed in seeds:
                times = StepTimes()
                recorder = recorder_of(seed)
                try:
                    if policy is None:
                        started = self.policies.started(environment.spec, self.program, seed)
                        policy = stack.enter_context(started)
                    else:
                        policy[0].begin_episode()
                    outcome = _to_its_end(play(environment, *policy, seed, self.progress, recorder, times))
                except PolicyFailed as failed:
                    outcome = Outcome(seed, error=failed.error)
                if outcome.error is not None:
                    stack.close()
                    policy = None
                report(outcome, times)

    def _lane(
        self,
        environment: Environment,
        program: Program,
        waiting: Iterator[int],
        recorder_of: RecorderOf,
        report: Report,
    ) -> _Lane:
        """One episode after the other as long as seeds wait; yields while a policy has the turn."""
        for seed in waiting:
            times = StepTimes()
            self.progress.seed, self.progress.step = seed, 0
            recorder = recorder_of(seed)
            try:
                with self.policies.started(environment.spec, program, seed) as (process, judge):
                    outcome = yield from play(
                        environment, process, judge, seed, self.progress, recorder, times
                    )
            except PolicyFailed as failed:
                outcome = Outcome(seed, error=failed.error)
            report(outcome, times)


_ended = object()


def _patient(program: Program, lanes: int) -> Program:
    """The wall-clock backstops are for one policy alone on a core; here it waits for its neighbours."""
    limits = replace(
        program.limits,
        action_wall_s=lanes * program.limits.action_wall_s,
        episode_wall_s=lanes * program.limits.episode_wall_s,
    )
    return replace(program, limits=limits)


def _to_its_end(episode: Generator[None, None, Outcome]) -> Outcome:
    while True:
        try:
            next(episode)
        except StopIteration as ended:
            outcome: Outcome = ended.value
            return outcome
