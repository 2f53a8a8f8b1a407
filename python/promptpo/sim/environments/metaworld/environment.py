"""A Meta-World task: an episode is a function of task and seed, which Meta-World's own `reset(seed=...)` is
not.

Owns the recipe that makes it one, and the picture's orientation. Actions go to the simulator as they came.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from promptpo.sim import rendering
from promptpo.sim.environments.base import Environment, EnvironmentSpec, Observation, Step
from promptpo.sim.environments.importing import importing_simulators

CAMERA = "corner2"


class MetaworldTask(Environment):
    """One task, built once, its goal visible.

    Meta-World ignores the seed of `reset`; with `gymnasium.make(..., seed=S)` an episode depends on how
    many resets came before. Here the placement is drawn anew at each reset from a generator that `seed`
    alone determines. Its `reset` draws and settles the scene twice, with `mj_resetData` in between
    (positions, velocities, time, mocap and the solver's warm start): the first pass alone could see an
    earlier episode, and the second sees of the first one only what the same seed always gives. That is why
    nothing has to be cured here; a test holds it for all tasks.
    """

    def __init__(self, spec: EnvironmentSpec) -> None:
        with importing_simulators():
            from metaworld.env_dict import ALL_V3_ENVIRONMENTS

            env: Any = ALL_V3_ENVIRONMENTS[spec.id](render_mode="rgb_array", camera_name=CAMERA)
        env._partially_observable = False
        # Cached when the goal was still hidden: its bounds would cut the goal in the observation to zero.
        env.__dict__.pop("sawyer_observation_space", None)
        env._set_task_called = True
        self.spec = spec
        self._env = env
        self._steps = -1  # -1: no episode is running
        self._closed = False

    def reset(self, seed: int) -> Observation:
        """Draws the placement of `seed` and begins its episode."""
        self._env._freeze_rand_vec = False
        self._env.seeded_rand_vec = True
        self._env.seed(seed)
        vector, _ = self._env.reset()
        self._steps = 0
        return (np.array(vector, dtype=np.float64),)

    def step(self, action: object) -> Step:
        """The simulator's own step; success is its `info["success"]`."""
        if self._steps < 0:
            raise RuntimeError("step needs a reset first: no episode is running")
        vector, reward, terminated, truncated, info = self._env.step(action)
        self._steps += 1
        truncated = bool(truncated) or self._steps >= self.spec.horizon
        if terminated or truncated:
            self._steps = -1
        return Step((vector,), float(reward), bool(terminated), truncated, bool(info["success"]))

    def render(self) -> npt.NDArray[np.uint8]:
        """The scene from `corner2`, 480 x 480."""
        # This camera is mounted upside down.
        return np.ascontiguousarray(rendering.draw(self._env.render)[::-1, ::-1])

    def close(self) -> None:
        """Closes the renderer with the simulator."""
        self._steps = -1
        if not self._closed:
            self._closed = True
            self._env.close()
