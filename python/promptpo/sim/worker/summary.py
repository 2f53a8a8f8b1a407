"""Runs a feedback program: one process an episode is shown the observations and says what it saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from promptpo.sim.environments.base import EnvironmentSpec, Observation
from promptpo.sim.policy_error import PolicyError, PolicyFailed
from promptpo.sim.worker.policies import Policies, Program


@dataclass(frozen=True)
class Summary:
    """What was said of one episode, or why nothing was."""

    seed: int
    text: str = ""
    error: PolicyError | None = None


def summarize(
    policies: Policies, spec: EnvironmentSpec, program: Program, seed: int, trajectory: Sequence[Observation]
) -> Summary:
    """`seed` keys the program's randomness as it does a policy's."""
    try:
        with policies.started(spec, program, seed) as (process, _):
            return Summary(seed, process.summarize(trajectory))
    except PolicyFailed as failed:
        return Summary(seed, error=failed.error)
