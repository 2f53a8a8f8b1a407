"""Runs a block: one policy, some seeds, each episode reported as it ends."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeAlias

from promptpo.sim.environments.base import Environment
from promptpo.sim.jail.action import ActionJudge
from promptpo.sim.jail.policy_process import PolicyProcess
from promptpo.sim.policy_error import PolicyFailed
from promptpo.sim.worker.episode import Outcome, Progress, Recorder, run_episode
from promptpo.sim.worker.policies import Policies, Program

RecorderOf: TypeAlias = Callable[[int], Recorder | None]
"""The recorder of the episode of a seed, asked for before it begins."""


@dataclass(frozen=True)
class Runner:
    """Runs episodes of one program on one environment."""

    policies: Policies
    environment: Environment
    program: Program
    progress: Progress

    def episodes(self, seeds: list[int], recorder_of: RecorderOf, report: Callable[[Outcome], None]) -> None:
        """A fresh process and object for each episode."""
        for seed in seeds:
            with ExitStack() as stack:
                report(self._first(stack, seed, recorder_of(seed))[0])

    def one_object(
        self, seeds: list[int], recorder_of: RecorderOf, report: Callable[[Outcome], None]
    ) -> None:
        """One process and object for all episodes, in order; after a failure the next episode begins with
        a new one."""
        policy: tuple[PolicyProcess, ActionJudge] | None = None
        with ExitStack() as stack:
            for seed in seeds:
                if policy is None:
                    outcome, policy = self._first(stack, seed, recorder_of(seed))
                else:
                    policy[0].begin_episode()
                    outcome = self._run(policy, seed, recorder_of(seed))
                if outcome.error is not None:
                    stack.close()
                    policy = None
                report(outcome)

    def _first(
        self, stack: ExitStack, seed: int, recorder: Recorder | None
    ) -> tuple[Outcome, tuple[PolicyProcess, ActionJudge] | None]:
        """The first episode of a new process, which is left to `stack`; None if it did not start."""
        self.progress.seed, self.progress.step = seed, 0
        try:
            policy = stack.enter_context(self.policies.started(self.environment.spec, self.program, seed))
        except PolicyFailed as failed:
            return Outcome(seed, error=failed.error), None
        return self._run(policy, seed, recorder), policy

    def _run(
        self, policy: tuple[PolicyProcess, ActionJudge], seed: int, recorder: Recorder | None
    ) -> Outcome:
        return run_episode(self.environment, *policy, seed, self.progress, recorder)
