"""The gymnasium environment of a maze: what `gymnasium.make` gives for our map, drawn without OpenGL.

Owns the arguments, the names and values of the options, and what gymnasium-robotics leaves behind (a banner,
a file). Refuses maps that are not ours: one with a single free cell would never come out of `reset`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import gymnasium
import numpy as np
import numpy.typing as npt

from promptpo.sim.environments.base import EnvironmentSpec
from promptpo.sim.environments.gym_env import BadOption
from promptpo.sim.environments.importing import importing_simulators
from promptpo.sim.environments.pointmaze.catalogue import maze


def gym_maze(spec: EnvironmentSpec, options: Mapping[str, Any]) -> Any:  # noqa: ANN401 - gymnasium is untyped
    """`gymnasium.make(spec.id, maze_map=<our map>, continuing_task=False, **options)`; the caller closes it.

    `render()` gives the picture of picture.py. Raises BadOption for an option that there is not, or that
    cannot have this value.
    """
    _check(spec.id, options)
    _import()
    arguments = {"maze_map": maze(spec.id).cells(), "continuing_task": False, **options}
    # The checker only warns, and costs time on the first step; the values are the same without it.
    env = gymnasium.make(spec.id, render_mode="rgb_array", disable_env_checker=True, **arguments)
    # The maze went through a file in the temporary folder, which nobody reads again and nobody else removes.
    Path(env.unwrapped.tmp_xml_file_path).unlink(missing_ok=True)
    return TopView(env)


class TopView(gymnasium.Wrapper, gymnasium.utils.RecordConstructorArgs):  # type: ignore[misc]  # untyped there
    """The same environment, seen from above in our own picture."""

    def __init__(self, env: Any) -> None:  # noqa: ANN401 - gymnasium is untyped
        gymnasium.utils.RecordConstructorArgs.__init__(self)
        gymnasium.Wrapper.__init__(self, env)

    def render(self) -> npt.NDArray[np.uint8]:
        """`(height, width, 3)` uint8, without the way that the ball came."""
        bare = self.unwrapped
        if not hasattr(bare, "goal"):
            raise gymnasium.error.ResetNeeded("render needs a reset first: the goal is placed there")
        from promptpo.sim.environments.pointmaze.picture import picture

        ball: npt.NDArray[np.float64] = bare.data.qpos.copy().reshape(1, 2)
        rows = tuple("".join(str(cell) for cell in row) for row in bare.maze.maze_map)
        return picture(rows, bare.goal, ball)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


_OPTIONS: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    "reward_type": (lambda value: value in ("sparse", "dense"), '"sparse" or "dense"'),
    "continuing_task": (_is_flag, "true or false"),
    "reset_target": (_is_flag, "true or false"),
    "max_episode_steps": (
        lambda value: isinstance(value, int) and not _is_flag(value) and value > 0,
        "a positive whole number",
    ),
}
"""Option -> whether it takes a value, and which ones it takes. gymnasium-robotics checks none of them: with
another reward type, say, every reward is None."""


def _check(id: str, options: Mapping[str, Any]) -> None:  # noqa: A002 - the spec's own word
    for name, value in options.items():
        if name not in _OPTIONS:
            raise BadOption(name, f"{id} has no such option; it has: {', '.join(sorted(_OPTIONS))}")
        takes, what = _OPTIONS[name]
        if not takes(value):
            raise BadOption(name, f"it is {what}, not {value!r}")


def _import() -> None:
    """Imports gymnasium-robotics, which registers the mazes, without its banner.

    Stdout belongs to our caller and stderr to our logs, and the banner goes to the latter.
    """
    with importing_simulators():
        with contextlib.suppress(ImportError):
            from farama_notifications import notifications  # type: ignore[import-untyped]

            notifications.pop("gymnasium_robotics", None)
        import gymnasium_robotics  # noqa: F401 - registers
