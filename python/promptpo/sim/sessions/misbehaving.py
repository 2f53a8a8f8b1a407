"""For tests: environments that raise, kill their process, hang, or show something large, on command.

Registered with gymnasium on import: `gym:promptpo.sim.sessions.misbehaving:Moody-v0`.
"""

from __future__ import annotations

import os
import signal
import threading
from typing import Any, Final

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

MOODY: Final = "gym:promptpo.sim.sessions.misbehaving:Moody-v0"
NESTED: Final = "gym:promptpo.sim.sessions.misbehaving:Nested-v0"
UNFIT: Final = "gym:promptpo.sim.sessions.misbehaving:Unfit-v0"

GO_ON, RAISE, DIE, HANG, END = range(5)


class Moody(gymnasium.Env[Any, Any]):  # type: ignore[misc]
    """Counts its steps and does what its action says; draws itself."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012 - gymnasium's own way

    def __init__(
        self,
        render_mode: str | None = None,
        size: int = 2,
        refuses_reset: int = 0,
        dies_in_reset: bool = False,
        dies_when_made: bool = False,
    ) -> None:
        self.observation_space = spaces.Box(-np.inf, np.inf, (size,), np.float64)
        self.action_space = spaces.Discrete(5)
        self.render_mode = render_mode
        self._refuses_reset = refuses_reset
        self._dies_in_reset = dies_in_reset
        self._resets = 0
        self._count = 0
        if dies_when_made:
            os.kill(os.getpid(), signal.SIGKILL)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begins to count at 0; beside it stands a random number of the episode."""
        super().reset(seed=seed, options=options)
        self._resets += 1
        if self._dies_in_reset:
            os.kill(os.getpid(), signal.SIGKILL)
        if self._resets == self._refuses_reset:
            raise RuntimeError("no reset today")
        self._count = 0
        self._number = float(self.np_random.random())
        return self._seen(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:  # noqa: ANN401
        """Obeys."""
        if action == RAISE:
            raise ValueError("bad\n  mood")
        if action == DIE:
            os.kill(os.getpid(), signal.SIGKILL)
        if action == HANG:
            threading.Event().wait()
        self._count += 1
        return self._seen(), float(self._count), bool(action == END), False, {"success": action == END}

    def render(self) -> npt.NDArray[np.uint8]:
        """A picture whose colour is the count."""
        return np.full((4, 6, 3), self._count, np.uint8)

    def _seen(self) -> npt.NDArray[np.float64]:
        seen = np.zeros(self.observation_space.shape, np.float64)
        seen[:2] = self._count, self._number
        return seen


class Nested(gymnasium.Env[Any, Any]):  # type: ignore[misc]
    """Observations and actions of every kind of space; ends every fifth step."""

    def __init__(self) -> None:
        self.observation_space = spaces.Dict(
            {
                "pair": spaces.Tuple((spaces.Discrete(5), spaces.Box(0, 255, (2, 2), np.uint8))),
                "bits": spaces.MultiBinary(3),
                "scalar": spaces.Box(-1.0, 1.0, (), np.float32),
            }
        )
        self.action_space = spaces.Dict(
            {
                "move": spaces.Discrete(3, start=-1),
                "many": spaces.MultiDiscrete([2, 3]),
                "push": spaces.Tuple((spaces.Box(-1.0, 1.0, (2,), np.float32),)),
            }
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begins an episode."""
        super().reset(seed=seed, options=options)
        self._left = 5
        return self._seen(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:  # noqa: ANN401
        """The reward depends on every part of the action, dtypes included."""
        self._left -= 1
        push = action["push"][0]
        reward = np.square(push).sum() + push.dtype.num + int(action["move"]) + int(action["many"] @ [3, 5])
        return self._seen(), reward, self._left == 0, False, {}

    def _seen(self) -> dict[str, Any]:
        rng = self.np_random
        return {
            "pair": (rng.integers(5), rng.integers(0, 256, (2, 2), np.uint8)),
            "bits": rng.integers(0, 2, 3).astype(np.int8),
            "scalar": np.float32(rng.random()),
        }


class Unfit(Moody):
    """An observation that is not of its space."""

    def _seen(self) -> npt.NDArray[np.float64]:
        return np.zeros(3)


for name, made in (("Moody-v0", Moody), ("Nested-v0", Nested), ("Unfit-v0", Unfit)):
    gymnasium.register(name, made)
