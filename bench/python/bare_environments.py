"""Environments as a script without the fleet makes and steps them: what every row is compared with.

MuJoCo tasks are gymnasium's own, without the checker that only warns. Meta-World follows the definition of an
episode (task, seed) in docs/environments.md, since its own `reset(seed=...)` is ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import gymnasium

Outcome: TypeAlias = tuple[Any, Any, Any, Any, Any]
"""Observation, reward, terminated, truncated, info."""


@dataclass(frozen=True)
class Bare:
    """One environment."""

    reset: Callable[[int], Any]
    """Begins the episode of a seed; its first observation."""
    step: Callable[[Any], Outcome]


def bare(environment: str) -> Bare:
    """`environment` by its id in the fleet: MuJoCo's, Meta-World's, NoiseWorld."""
    if environment.endswith("-v5"):
        env = gymnasium.make(environment, disable_env_checker=True)
        return Bare(lambda seed: env.reset(seed=seed)[0], env.step)
    if environment.startswith("NoiseWorld"):
        return _noiseworld(environment)
    return _metaworld(environment)


def _metaworld(task: str) -> Bare:
    from metaworld.env_dict import ALL_V3_ENVIRONMENTS

    env = ALL_V3_ENVIRONMENTS[task]()
    env._partially_observable = False
    env.__dict__.pop("sawyer_observation_space", None)
    env._set_task_called = True

    def reset(seed: int) -> Any:  # noqa: ANN401 - metaworld ships no types
        env._freeze_rand_vec = False
        env.seeded_rand_vec = True
        env.seed(seed)
        return env.reset()[0]

    return Bare(reset, env.step)


def _noiseworld(board: str) -> Bare:
    # Ours, and the only implementation; without jail and service it is a bare loop.
    from promptpo.sim.environments import registry

    env = registry.make(board)
    return Bare(env.reset, env.step)
