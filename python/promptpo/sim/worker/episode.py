"""One episode: a simulator, a policy process, and the loop between them.

Owns what an episode's numbers mean: the return is the float64 sum of the rewards in step order, success is a
flag seen at any step. A policy's failure ends its own episode and is part of the outcome.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final, Protocol

from promptpo.sim.environments.base import Environment, Observation, Step
from promptpo.sim.errors import SimError
from promptpo.sim.jail.action import Action, ActionJudge
from promptpo.sim.jail.policy_process import PolicyProcess
from promptpo.sim.policy_error import PolicyError, PolicyFailed


@dataclass(frozen=True)
class Outcome:
    """What an episode came to."""

    seed: int
    return_value: float = 0.0
    """Partial where `error` is set."""
    success: bool = False
    length: int = 0
    terminated: bool = False
    truncated: bool = False
    out_of_bounds_count: int = 0
    error: PolicyError | None = None


class Recorder(Protocol):
    """Is shown every step of an episode."""

    def record(self, observation: Observation, action: Action, reward: float) -> None:
        """`observation` is what the policy saw before the step."""


@dataclass
class Progress:
    """Where the running job is; read by the thread that sends signs of life."""

    seed: int = 0
    step: int = 0


_TIMED_STEPS: Final = 16
"""About as many steps of an episode are timed, at even distances, the first one included."""

_TIMED_EVERY: Final = 4
"""But in a short one only every fourth: on a timed step the neighbours wait."""


@dataclass
class StepTimes:
    """How long some steps of an episode took. Shown in metrics and nowhere else: no result depends on a
    clock."""

    act_s: list[float] = field(default_factory=list)
    """Wall seconds from observation to action, the exchange with the policy's process included."""
    step_s: list[float] = field(default_factory=list)
    """Wall seconds of the simulator for the same steps."""


class SimulatorFailed(SimError):
    """The environment itself raised; it must not be used again."""

    def __init__(self, environment: Environment, seed: int, step: int, error: Exception) -> None:
        where = f"{environment.spec.id}, seed {seed}, step {step}"
        super().__init__(
            "SIMULATOR_FAILED", f"the simulator failed at {where}: {type(error).__name__}: {error}"
        )


def play(
    environment: Environment,
    policy: PolicyProcess,
    judge: ActionJudge,
    seed: int,
    progress: Progress,
    recorder: Recorder | None,
    times: StepTimes,
) -> Generator[None, None, Outcome]:
    """Plays the episode of `seed` with a started policy; yields whenever the policy has to answer.

    Raises SimulatorFailed, Cancelled.
    """
    progress.seed, progress.step = seed, 0
    judge.out_of_bounds_count = 0
    total = 0.0
    length = 0
    success = terminated = truncated = False
    error: PolicyError | None = None
    observation = _reset(environment, policy, seed)
    ask, answer = policy.ask, policy.answer
    every = max(_TIMED_EVERY, environment.spec.horizon // _TIMED_STEPS)
    timed = 0
    try:
        while not (terminated or truncated):
            if length == timed:
                # The clock is read on these few steps only, and nobody else has a turn then: reading it costs
                # as much as a tenth of an exchange.
                begun = perf_counter()
                ask(observation)
                action = answer()
                acted = perf_counter()
                step = _step(environment, action, seed, length)
                times.step_s.append(perf_counter() - acted)
                times.act_s.append(acted - begun)
                timed += every
            else:
                ask(observation)
                yield
                action = answer()
                step = _step(environment, action, seed, length)
            if recorder is not None:
                recorder.record(observation, action, step.reward)
            observation, reward, terminated, truncated, succeeded = step
            total += reward
            length += 1
            progress.step = length
            success = success or succeeded
    except PolicyFailed as failed:
        error = failed.error.at_step(length)
    return Outcome(seed, total, success, length, terminated, truncated, judge.out_of_bounds_count, error)


def _reset(environment: Environment, policy: PolicyProcess, seed: int) -> Observation:
    try:
        observation = environment.reset(seed)
        policy.check(observation)
    except SimError:
        raise
    except Exception as error:
        raise SimulatorFailed(environment, seed, 0, error) from error
    return observation


def _step(environment: Environment, action: Action, seed: int, length: int) -> Step:
    try:
        return environment.step(action)
    except SimError:
        raise  # it knows its own reason: a picture that could not be drawn
    except Exception as error:
        raise SimulatorFailed(environment, seed, length, error) from error
