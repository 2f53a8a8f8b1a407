"""Runs attacks as the worker runs policies: real warm parent, real episode loop, NoiseWorld."""

from __future__ import annotations

from dataclasses import dataclass

from promptpo.sim.environments.base import Environment
from promptpo.sim.jail.limits import Limits
from promptpo.sim.jail.testing import Jail
from promptpo.sim.worker.block import Runner
from promptpo.sim.worker.episode import Outcome, Progress
from promptpo.sim.worker.policies import Policies, Program


@dataclass(frozen=True)
class Stage:
    """One environment and one jail for all attacks: what one leaves behind, the next would meet."""

    jail: Jail
    environment: Environment

    def episodes(self, source: str, seeds: list[int], limits: Limits | None = None) -> list[Outcome]:
        """A process an episode."""
        outcomes: list[Outcome] = []
        self._runner(source, limits).episodes(
            seeds, lambda _: None, lambda outcome, _: outcomes.append(outcome)
        )
        return outcomes

    def one_object(self, source: str, seeds: list[int], limits: Limits | None = None) -> list[Outcome]:
        """One process for all episodes."""
        outcomes: list[Outcome] = []
        self._runner(source, limits, many=True).one_object(
            seeds, lambda _: None, lambda outcome, _: outcomes.append(outcome)
        )
        return outcomes

    def _runner(self, source: str, limits: Limits | None, *, many: bool = False) -> Runner:
        program = Program("act", source, limits or Limits(), many_episodes=many)
        return Runner(Policies(self.jail.parent, self.jail.watch), [self.environment], program, Progress())
