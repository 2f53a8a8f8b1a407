"""A maze of gymnasium-robotics: the episode is bit for bit that of a bare `gymnasium.make(...)` loop.

Owns the order of the fields, the counting of steps and the path that a picture shows. Passes the action on
as it came: the simulator cuts it to [-1, 1] in the action's own dtype.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from promptpo.sim.environments.base import Environment, EnvironmentSpec, Observation, Step
from promptpo.sim.environments.pointmaze.catalogue import maze
from promptpo.sim.environments.pointmaze.gym_maze import gym_maze


class PointMaze(Environment):
    """One maze; the variants differ in what their texts tell.

    Nothing of an episode reaches the next one: a seeded reset makes the generator anew, draws goal and start
    from it, and calls `mj_resetData`, which zeroes velocities, time, forces and the solver's warm start. What
    else changes in the model (the goal's mark, the start that is put in place) is set at every reset.
    """

    def __init__(self, spec: EnvironmentSpec) -> None:
        self.spec = spec
        self._rows = maze(spec.id).rows
        self._env: Any = gym_maze(spec, {})
        # Steps go past gymnasium's wrappers (they count and check the order of calls, as is done here).
        self._bare = self._env.unwrapped
        self._steps = -1  # -1: no episode is running
        self._goal: npt.NDArray[np.float64] | None = None
        self._path = np.empty((spec.horizon + 1, 2))
        self._seen = 0  # entries of the path that belong to the latest episode
        self._closed = False

    def reset(self, seed: int) -> Observation:
        """`env.reset(seed=seed)`."""
        told, _ = self._bare.reset(seed=seed)
        self._steps = self._seen = 0
        self._goal = told["desired_goal"].copy()
        return self._observe(told)

    def step(self, action: object) -> Step:
        """`env.step(action)`; success is `info["success"]`, the goal reached at this step."""
        if self._steps < 0:
            raise RuntimeError("step needs a reset first: no episode is running")
        told, reward, terminated, _, info = self._bare.step(action)
        self._steps += 1
        # As gymnasium's TimeLimit: the last step truncates even if it terminates too.
        truncated = self._steps >= self.spec.horizon
        if terminated or truncated:
            self._steps = -1
        return Step(self._observe(told), float(reward), bool(terminated), truncated, bool(info["success"]))

    def _observe(self, told: dict[str, npt.NDArray[np.float64]]) -> Observation:
        # The three arrays are new at every step.
        vector = told["observation"]
        self._path[self._seen] = vector[:2]
        self._seen += 1
        return (vector, told["desired_goal"], told["achieved_goal"])

    def render(self) -> npt.NDArray[np.uint8]:
        """The maze from above with the goal, the ball and the way it came, drawn with Pillow."""
        if self._goal is None:
            raise RuntimeError("render needs a reset first: the goal is placed there")
        from promptpo.sim.environments.pointmaze.picture import picture

        return picture(self._rows, self._goal, self._path[: self._seen])

    def close(self) -> None:
        """Ends the episode and frees the simulator."""
        self._steps = -1
        if not self._closed:
            self._closed = True
            self._env.close()
