"""A MuJoCo task of gymnasium: the episode is bit for bit that of a bare `gymnasium.make(id)` loop.

Owns reading the fields and counting steps. Passes the action on as it came: gymnasium computes control
costs in the action's own dtype, so a conversion here would change returns.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from promptpo.sim import rendering
from promptpo.sim.environments.base import Environment, EnvironmentSpec, Observation, Step
from promptpo.sim.environments.importing import importing_simulators
from promptpo.sim.environments.mujoco.catalogue import task
from promptpo.sim.environments.mujoco.quick import step_quickly


class MujocoTask(Environment):
    """One gymnasium task with all defaults.

    Nothing of an episode reaches the next one: gymnasium's reset calls `mj_resetData`, which also zeroes
    time, controls and the solver's warm start (`qacc_warmstart`), and no task here changes its model.
    """

    def __init__(self, spec: EnvironmentSpec) -> None:
        with importing_simulators():
            import gymnasium

            # The checker only warns, and costs time on the first step; the values are the same without it.
            env: Any = gymnasium.make(spec.id, render_mode="rgb_array", disable_env_checker=True)
        self.spec = spec
        self._env = env
        # Steps go past gymnasium's two wrappers (they count and check the order of calls, as is done here).
        self._bare = env.unwrapped
        data = self._bare.data
        step_quickly(self._bare, contact_forces=task(spec.id).contact_forces)
        self._qpos, self._qvel = data.qpos, data.qvel
        self._dt = np.array(self._bare.dt, dtype=np.float64)
        self._dt.flags.writeable = False  # it is the same array in every observation
        self._extras = tuple(extra.bind(data) for extra in task(spec.id).extras)
        self._horizon = spec.horizon
        self._steps = -1  # -1: no episode is running
        self._closed = False

    def reset(self, seed: int) -> Observation:
        """`env.reset(seed=seed)`."""
        vector, _ = self._bare.reset(seed=seed)
        self._steps = 0
        return self._observe(vector)

    def step(self, action: object) -> Step:
        """`env.step(action)`; there is no success in these tasks."""
        if self._steps < 0:
            raise RuntimeError("step needs a reset first: no episode is running")
        vector, reward, terminated, _, _ = self._bare.step(action)
        self._steps += 1
        # As gymnasium's TimeLimit: the last step truncates even if it terminates too.
        truncated = self._steps >= self._horizon
        if terminated or truncated:
            self._steps = -1
        return Step(self._observe(vector), float(reward), bool(terminated), truncated, False)

    def _observe(self, vector: npt.NDArray[np.float64]) -> Observation:
        # `vector` is new at every step; what the simulator goes on writing into is copied.
        extras = [read() for read in self._extras]
        return (vector, self._qpos.copy(), self._qvel.copy(), self._dt, *extras)

    def render(self) -> npt.NDArray[np.uint8]:
        """gymnasium's own camera, 480 x 480."""
        return rendering.draw(self._bare.render)

    def close(self) -> None:
        """Closes the renderer with the simulator."""
        self._steps = -1
        if not self._closed:
            self._closed = True
            self._env.close()
