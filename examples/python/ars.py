"""Augmented random search (Mania, Guy, Recht 2018, version V2) in numpy: a linear policy on the fleet.

python ars.py [ENVIRONMENT] [ITERATIONS]

Prints the mean return of each iteration. The same seed gives the same numbers, to the last bit, on any number
of sidecars: an episode is a function of its seed, and seeds are given by an episode's place in the search.
"""

# ruff: noqa: T201 - what it prints is its purpose
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import VectorEnv

from promptpo.client import FleetError, make_vec


@dataclass(frozen=True)
class Settings:
    """Of the search."""

    directions: int = 8
    """Random directions an iteration, each tried forth and back: there are twice as many environments."""
    best: int = 4
    """Directions that the step is made of."""
    step_size: float = 0.05
    noise: float = 0.1
    iterations: int = 25
    seed: int = 0


class Normaliser:
    """Running mean and variance of observations (Chan, Golub, LeVeque 1979)."""

    def __init__(self, size: int) -> None:
        self.count, self.mean, self.squares = 0, np.zeros(size), np.zeros(size)

    def update(self, rows: np.ndarray) -> None:
        """Takes rows in."""
        mean, total = rows.mean(axis=0), self.count + len(rows)
        delta = mean - self.mean
        self.squares += ((rows - mean) ** 2).sum(axis=0) + delta**2 * self.count * len(rows) / total
        self.mean += delta * len(rows) / total
        self.count = total

    @property
    def scale(self) -> np.ndarray:
        """One over the standard deviation."""
        return 1 / np.sqrt(np.maximum(self.squares / max(self.count, 1), 1e-8))


def act(space: spaces.Space, scores: np.ndarray) -> np.ndarray:
    """Actions of the linear policy's outputs, `(n, outputs)`."""
    if isinstance(space, spaces.Discrete):
        return space.start + scores.argmax(axis=1)
    assert isinstance(space, spaces.Box), f"expected a Box or Discrete action space, got {space}"
    return np.clip(scores, space.low, space.high).astype(space.dtype)


def returns(envs: VectorEnv, weights: np.ndarray, seed: int, normaliser: Normaliser) -> np.ndarray:
    """One episode of each environment under its own weights `(n, outputs, inputs)`; what they sum up to."""
    mean, scale = normaliser.mean.copy(), normaliser.scale
    observations, _ = envs.reset(seed=seed)
    totals, running = np.zeros(envs.num_envs), np.ones(envs.num_envs, bool)
    seen = []
    while running.any():
        seen.append(observations[running])
        # A sum, not a matrix product: a library may order that one by the machine that it runs on.
        scores = (weights * ((observations - mean) * scale)[:, np.newaxis, :]).sum(axis=2)
        observations, rewards, terminated, truncated, _ = envs.step(act(envs.single_action_space, scores))
        # Environments go on by themselves behind their first episode; only that one counts.
        totals += rewards * running
        running &= ~(terminated | truncated)
    normaliser.update(np.concatenate(seen))
    return totals


def search(envs: VectorEnv, settings: Settings) -> list[float]:
    """Mean return of each iteration's policy, before its update; `envs` are twice the directions."""
    space: Any = envs.single_action_space
    outputs = int(space.n) if isinstance(space, spaces.Discrete) else space.shape[0]
    inputs = envs.single_observation_space.shape[0]
    generator = np.random.default_rng(settings.seed)
    normaliser = Normaliser(inputs)
    weights = np.zeros((outputs, inputs))
    curve = []
    for iteration in range(settings.iterations):
        delta = generator.standard_normal((settings.directions, outputs, inputs))
        tried = weights + settings.noise * np.concatenate([delta, -delta])
        found = returns(envs, tried, seed=1000 * iteration, normaliser=normaliser)
        forth, back = np.split(found, 2)
        best = np.argsort(-np.maximum(forth, back), kind="stable")[: settings.best]
        spread = np.concatenate([forth[best], back[best]]).std()
        slope = (forth[best] - back[best])[:, np.newaxis, np.newaxis] * delta[best]
        weights = weights + settings.step_size / (settings.best * max(spread, 1e-8)) * slope.sum(axis=0)
        curve.append(float(found.mean()))
        print(f"iteration {iteration}: mean return {curve[-1]}", flush=True)
    return curve


def main() -> None:
    """Searches on the fleet at PROMPTPO_ROLLOUT."""
    environment = sys.argv[1] if len(sys.argv) > 1 else "InvertedDoublePendulum-v5"
    settings = Settings(iterations=int(sys.argv[2])) if len(sys.argv) > 2 else Settings()
    envs = make_vec(environment, 2 * settings.directions)
    try:
        search(envs, settings)
    finally:
        envs.close()


if __name__ == "__main__":
    try:
        main()
    except FleetError as error:
        sys.exit(str(error))
