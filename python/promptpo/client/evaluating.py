"""Scoring a policy in one line.

A policy's source runs in the fleet's jail, as a run's candidates do. A function runs here and steps the
fleet's environments: for networks and whatever else is no source. Both give the same numbers for the same
actions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeAlias, Unpack

import numpy as np
from gymnasium.vector import AutoresetMode

from promptpo.client.client import Client, Evaluation
from promptpo.client.env_session import SessionSettings
from promptpo.client.errors import FleetError
from promptpo.client.making import make_vec
from promptpo.rollout.v1 import rollout_pb2
from promptpo.types.v1 import types_pb2

Policy: TypeAlias = Callable[[Any], Any]
"""A batch of observations to a batch of actions, as gymnasium's vector environments have them."""

_MOST_ENVIRONMENTS = 64
"""Episodes of a function that run at once."""


def evaluate(
    environment: str,
    policy: str | Path | Policy,
    seeds: Iterable[int] = range(20),
    **settings: Unpack[SessionSettings],
) -> Evaluation:
    """Episodes of a policy, one a seed, in the seeds' order.

    `policy` is its source, a file with it, or a function of a batch of observations. Raises FleetError;
    what a source does wrong is the `error` of its episode, what a function raises is raised.
    """
    wanted = [int(seed) for seed in seeds]
    if not wanted:
        raise FleetError("INVALID_SEEDS", "seeds: expected at least one, got none")
    if callable(policy):
        return _stepped(environment, policy, wanted, settings)
    if settings.get("options"):
        raise FleetError(
            "INVALID_ARGUMENT", "options: expected none for a policy's source; only functions take them"
        )
    source = policy.read_text() if isinstance(policy, Path) else policy
    with Client(
        rollout=settings.get("rollout"), token=settings.get("token"), tls=settings.get("tls")
    ) as fleet:
        return fleet.evaluate_policy(environment, source, wanted, variant=settings.get("variant", ""))


def _stepped(environment: str, policy: Policy, seeds: list[int], settings: SessionSettings) -> Evaluation:
    episodes = [types_pb2.EpisodeResult(seed=seed) for seed in seeds]
    count = min(len(seeds), _MOST_ENVIRONMENTS)
    envs = make_vec(environment, count, autoreset_mode=AutoresetMode.DISABLED, **settings)
    try:
        running = list(range(count))
        """The episode of each environment; those behind the last one go on as dummies."""
        waiting = list(range(len(seeds) - 1, count - 1, -1))
        observations, _ = envs.reset(seed=seeds[:count])
        left = len(seeds)
        while left > 0:
            observations, rewards, terminated, truncated, infos = envs.step(policy(observations))
            ended = terminated | truncated
            for row in range(count):
                if running[row] < 0:
                    continue
                episode = episodes[running[row]]
                # The order of additions is part of the number.
                episode.return_value += float(rewards[row])
                episode.length += 1
                episode.success |= bool("success" in infos and infos["success"][row])
            if not ended.any():
                continue
            for cause in infos.get("cause", ()):
                if cause is not None:
                    raise FleetError(
                        "SIMULATOR_FAILED", f"an environment died in an episode of a function: {cause}"
                    )
            reseed: list[int | None] = [None] * count
            for row in np.flatnonzero(ended).tolist():
                left -= running[row] >= 0
                running[row] = waiting.pop() if waiting else -1
                reseed[row] = seeds[running[row]] if running[row] >= 0 else None
            if left > 0:
                observations, _ = envs.reset(seed=reseed, options={"reset_mask": ended})
    finally:
        envs.close()
    return Evaluation(tuple(episodes), _summary(episodes))


def _summary(episodes: list[types_pb2.EpisodeResult]) -> rollout_pb2.EvaluationSummary:
    total = 0.0
    for episode in episodes:
        total += episode.return_value
    return rollout_pb2.EvaluationSummary(
        mean_return=total / len(episodes),
        success_rate=sum(episode.success for episode in episodes) / len(episodes),
        step_count=sum(episode.length for episode in episodes),
    )
