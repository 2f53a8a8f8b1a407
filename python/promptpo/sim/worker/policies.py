"""Starts policy processes for an environment: what a process is told, from spec, source and limits."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from google.protobuf.duration_pb2 import Duration

from promptpo.rollout.v1 import rollout_pb2
from promptpo.sim.environments.base import EnvironmentSpec
from promptpo.sim.errors import SimError, invalid
from promptpo.sim.jail.action import ActionJudge, ActionRules
from promptpo.sim.jail.frames import FieldLayout, Mode, Setup
from promptpo.sim.jail.limits import MAX_SOURCE_BYTES, Limits
from promptpo.sim.jail.policy_process import PolicyProcess
from promptpo.sim.jail.warm_parent import WarmParent
from promptpo.sim.jail.watch import Watch

FEEDBACK_CLASS: Final = "Feedback"


@dataclass(frozen=True)
class Program:
    """A policy or a feedback program, and what it may spend."""

    mode: Mode
    source: str
    limits: Limits
    many_episodes: bool = False
    """One process serves more than one episode, so the kernel's own limit of CPU time does not apply."""


class Policies:
    """The way to the jail."""

    def __init__(self, parent: WarmParent, watch: Watch) -> None:
        self._parent = parent
        self._watch = watch
        self.started_count = 0
        """Processes started so far."""

    @contextmanager
    def started(
        self, spec: EnvironmentSpec, program: Program, seed: int
    ) -> Iterator[tuple[PolicyProcess, ActionJudge]]:
        """A started process, killed at the end. Raises PolicyFailed, Cancelled; ConfinementFailed,
        WarmParentDied."""
        rules = ActionRules(
            spec.action.kind, spec.action.shape, spec.action.low, spec.action.high, spec.action.n
        )
        judge = ActionJudge(rules)
        setup = Setup(
            mode=program.mode,
            source=program.source,
            class_name=spec.policy_class if program.mode == "act" else FEEDBACK_CLASS,
            fields=tuple(FieldLayout(field.name, field.dtype, field.shape) for field in spec.observation),
            action_bytes=rules.room_bytes,
            dt=spec.dt,
            entropy_key=_entropy_key(seed),
            memory_bytes=program.limits.memory_bytes,
            cpu_s=0 if program.many_episodes else math.ceil(program.limits.episode_cpu_s) + 1,
            text_bytes=program.limits.text_bytes,
        )
        with PolicyProcess(self._parent, self._watch, setup, program.limits, judge) as process:
            self.started_count += 1
            process.start()
            yield process, judge


def _entropy_key(seed: int) -> str:
    """What keys a policy's randomness. A hash: code in the jail finds the key among its own objects, and must
    not find the seed there, from which it could foresee what the environment draws."""
    return hashlib.sha256(f"promptpo policy {seed}".encode()).hexdigest()


def limits_of(message: rollout_pb2.PolicyLimits, field: str) -> Limits:
    """The limits of a request; what is not set takes the default. Raises SimError."""
    default = Limits()
    action_cpu_s = _seconds(message.action_cpu, f"{field}.action_cpu", default.action_cpu_s)
    episode_cpu_s = _seconds(message.episode_cpu, f"{field}.episode_cpu", default.episode_cpu_s)
    episode_wall_s = _seconds(message.episode_wall, f"{field}.episode_wall", default.episode_wall_s)
    if message.memory_bytes < 0:
        raise invalid(f"{field}.memory_bytes", "a size cannot be negative")
    return Limits(
        start_cpu_s=min(max(default.start_cpu_s, action_cpu_s), episode_cpu_s),
        action_cpu_s=action_cpu_s,
        episode_cpu_s=episode_cpu_s,
        # A policy alone on a core needs no more wall time than CPU time; ten times that is a very busy
        # machine.
        action_wall_s=min(max(default.action_wall_s, 10 * action_cpu_s), episode_wall_s),
        episode_wall_s=episode_wall_s,
        memory_bytes=message.memory_bytes or default.memory_bytes,
    )


def check_source(source: str, field: str) -> None:
    """Raises SimError for a source that is longer than anything a compiler should be given."""
    size = len(source.encode())
    if size > MAX_SOURCE_BYTES:
        raise SimError(
            "POLICY_TOO_LARGE",
            f"{field} has {size} bytes, at most {MAX_SOURCE_BYTES} are compiled",
            {"field": field, "limit_bytes": str(MAX_SOURCE_BYTES)},
        )


def _seconds(duration: Duration, field: str, default_s: float) -> float:
    seconds = duration.seconds + duration.nanos / 1e9
    if seconds < 0:
        raise invalid(field, "a duration cannot be negative")
    return seconds or default_s
