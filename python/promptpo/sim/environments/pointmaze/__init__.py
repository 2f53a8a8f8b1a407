"""PointMaze of gymnasium-robotics (v3): a ball is pushed through a maze to a goal.

Owns the family's entry point; facts in catalogue.py, the simulator in environment.py, the picture in
picture.py, words in texts/.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptpo.sim.environments.base import Environment, EnvironmentSpec
from promptpo.sim.environments.family import Texts
from promptpo.sim.environments.pointmaze.catalogue import specs
from promptpo.sim.environments.pointmaze.texts import texts


class _PointMazeFamily:
    name = "pointmaze"

    def specs(self) -> tuple[EnvironmentSpec, ...]:
        return specs()

    def make(self, spec: EnvironmentSpec) -> Environment:
        from promptpo.sim.environments.pointmaze.environment import PointMaze

        return PointMaze(spec)

    def gym(self, spec: EnvironmentSpec, options: Mapping[str, Any]) -> Any:  # noqa: ANN401 - untyped there
        from promptpo.sim.environments.pointmaze.gym_maze import gym_maze

        return gym_maze(spec, options)

    def texts(self, spec: EnvironmentSpec) -> Texts:
        return texts(spec)


FAMILY = _PointMazeFamily()
