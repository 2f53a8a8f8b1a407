"""A shuttle on a rail has to stop at a berth: a double integrator in plain NumPy."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from picture import picture

STEP_S = 0.05
RAIL_M = 10.0


class Docking(gymnasium.Env[np.ndarray, np.ndarray]):
    """Mass 1 kg, no friction; the rail ends at -10 m and 10 m, and the shuttle stops dead there."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 20}

    def __init__(self, thrust: float = 1.0, render_mode: str | None = None) -> None:
        self.render_mode = render_mode
        self.action_space = spaces.Box(-thrust, thrust, (1,), np.float64)
        self.observation_space = spaces.Box(-20.0, 20.0, (3,), np.float64)
        self._thrust = thrust
        self._position = self._velocity = self._berth = 0.0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Shuttle and berth lie at random, the shuttle at rest."""
        # All chance comes from `self.np_random`, which this seeds: so an episode is a function of its seed.
        super().reset(seed=seed)
        self._position = float(self.np_random.uniform(-8.0, 8.0))
        self._berth = float(self.np_random.uniform(-8.0, 8.0))
        self._velocity = 0.0
        return self._observation(), {"docked": False}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Half a step of the old speed and half of the new one."""
        asked = float(action[0])
        force = min(max(asked, -self._thrust), self._thrust)
        before = self._velocity
        self._velocity += STEP_S * force
        self._position += STEP_S * (before + self._velocity) / 2
        if abs(self._position) > RAIL_M:
            self._position = RAIL_M if self._position > 0 else -RAIL_M
            self._velocity = 0.0
        distance = abs(self._position - self._berth)
        docked = distance < 0.05 and abs(self._velocity) < 0.05
        reward = -STEP_S * distance - 0.01 * asked**2
        return self._observation(), reward, docked, False, {"docked": docked}

    def render(self) -> np.ndarray:
        """Rail, berth and shuttle from above."""
        return picture(self._position / RAIL_M, self._berth / RAIL_M)

    def _observation(self) -> np.ndarray:
        return np.array((self._position, self._velocity, self._berth))
