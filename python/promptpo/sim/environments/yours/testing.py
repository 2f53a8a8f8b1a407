"""For tests: episodes as bytes, bare loops, and folders made on the spot."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from promptpo.sim.environments.base import ActionSpace, Environment

EXAMPLES = Path(__file__).resolve().parents[5] / "examples" / "environments"
DOCKING = EXAMPLES / "docking"


def some_actions(space: ActionSpace, count: int) -> list[Any]:
    """The same ones each time; boxes within their bounds and a little beyond."""
    rng = np.random.default_rng(1)
    if space.kind == "discrete":
        return [int(code) for code in rng.integers(0, space.n, count)]
    low, high = (np.array(bound).reshape(space.shape) for bound in (space.low, space.high))
    return list(low + (high - low) * rng.uniform(-0.1, 1.1, (count, *space.shape)))


def episode(env: Environment, seed: int, actions: Iterable[Any]) -> list[bytes]:
    """The bytes of everything that an episode shows, until it ends or the actions do."""
    seen = [field.tobytes() for field in env.reset(seed)]
    for action in actions:
        step = env.step(action)
        seen += [field.tobytes() for field in step.observation]
        seen.append(np.float64(step.reward).tobytes())
        seen.append(bytes((step.terminated, step.truncated, step.success)))
        if step.terminated or step.truncated:
            break
    return seen


COUNTER = """
import gymnasium
from gymnasium import spaces


class Counter(gymnasium.Env):
    '''Counts up.'''

    observation_space = spaces.Box(0, 1000, (2,), float)
    action_space = spaces.Discrete(3, start=1)

    def __init__(self, by=1):
        self.by = by

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.count = 0
        return [0, self.np_random.uniform()], {}

    def step(self, action):
        assert 1 <= action <= 3
        self.count += self.by * BY
        return [self.count, 0], float(action), self.count >= 1000, False, {}


BY = 1
"""


def counter_folder(root: Path, toml: str = "", module: str = COUNTER) -> Path:
    """A folder `root` with a small environment called "counter"; `toml` is added to its manifest."""
    root.mkdir(parents=True, exist_ok=True)
    head = 'id = "counter"\nentry_point = "env:Counter"\n' + ("" if "horizon" in toml else "horizon = 9\n")
    (root / "environment.toml").write_text(head + toml)
    (root / "env.py").write_text(module)
    return root
