"""Somebody's gymnasium environment, stepped as a bare loop steps it.

Owns reading the fields, counting steps and success. An episode is a function of its seed as far as the
environment's own code makes it one: besides gymnasium's generator those of its spaces and the process's two
global ones are seeded. A generator that the code itself makes without a seed is beyond reach.
"""

from __future__ import annotations

import operator
import random
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from promptpo.sim import rendering
from promptpo.sim.environments.base import Environment, EnvironmentSpec, Observation, Step
from promptpo.sim.environments.yours.spaces import Actions, Reader
from promptpo.sim.logs import log
from promptpo.sim.rendering import RenderingUnavailable

SUCCESS_KEYS: Final = ("success", "is_success")
"""Where environments tell success in their `info`, unless their author names another key."""


class GymnasiumTask(Environment):
    """One environment with gymnasium's own wrappers around it."""

    def __init__(
        self,
        spec: EnvironmentSpec,
        env: Any,  # noqa: ANN401 - gymnasium ships no complete types
        readers: tuple[Reader, ...],
        actions: Actions,
        success_keys: tuple[str, ...],
        unchanged: Callable[[], None],
    ) -> None:
        self.spec = spec
        self._env = env
        self._reads = tuple(reader.read for reader in readers)
        self._start = actions.start
        self._success_keys = success_keys
        self._unchanged = unchanged
        self._steps = -1  # -1: no episode is running
        self._closed = False

    def reset(self, seed: int) -> Observation:
        """`env.reset(seed=seed)`."""
        self._unchanged()
        seed_everything(self._env, seed)
        try:
            observation, _ = self._env.reset(seed=seed)
        except (Exception, SystemExit) as error:
            raise self._told(error) from None
        self._steps = 0
        return self._observe(observation)

    def step(self, action: object) -> Step:
        """`env.step(action)`; a discrete code is counted from the environment's own first one."""
        if self._steps < 0:
            raise RuntimeError("step needs a reset first: no episode is running")
        if self.spec.action.kind == "discrete":
            action = self._code(action)
        try:
            observation, reward, terminated, truncated, info = self._env.step(action)
        except (Exception, SystemExit) as error:
            raise self._told(error) from None
        self._steps += 1
        over = bool(terminated), bool(truncated) or self._steps >= self.spec.horizon
        if any(over):
            self._steps = -1
            # Files that were read while it ran are those that it is named after.
            self._unchanged()
        return Step(self._observe(observation), float(reward), *over, self._succeeded(info))

    def _told(self, error: Exception | SystemExit) -> Exception:
        """Logged: whoever wrote it wants to know where, callers are told what."""
        log("error", "an environment's own code failed", environment=self.spec.id, error=error)
        return error if isinstance(error, Exception) else RuntimeError("it asked for the end of the process")

    def _code(self, action: object) -> int:
        code = operator.index(action)  # type: ignore[arg-type]  # raises TypeError for what is no integer
        if not 0 <= code < self.spec.action.n:
            raise ValueError(f"action must be an integer from 0 to {self.spec.action.n - 1}, got {code}")
        return self._start + code

    def _observe(self, observation: object) -> Observation:
        return tuple([read(observation) for read in self._reads])

    def _succeeded(self, info: dict[str, Any]) -> bool:
        return any(bool(info[key]) for key in self._success_keys if key in info)

    def render(self) -> npt.NDArray[np.uint8]:
        """The environment's own picture."""
        if self._env.render_mode != "rgb_array":
            raise RenderingUnavailable(f"{self.spec.id} offers no pictures (render mode rgb_array)")
        if hasattr(self._env.unwrapped, "mujoco_renderer"):
            return rendering.draw(self._env.render)
        try:
            frame = self._env.render()
        except Exception as error:  # a drawing library that is not installed, most of the time
            raise RenderingUnavailable(f"{self.spec.id} cannot be drawn: {error}") from error
        return np.array(frame, dtype=np.uint8, order="C")

    def close(self) -> None:
        """Closes it once."""
        self._steps = -1
        if not self._closed:
            self._closed = True
            self._env.close()


def seed_everything(env: Any, seed: int) -> None:  # noqa: ANN401
    """What an environment may draw from besides its own generator."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - the global one is meant
    bare = env.unwrapped
    for space in (bare.action_space, bare.observation_space):
        space.seed(seed)
