"""MuJoCo locomotion and reaching, as gymnasium ships them (v5).

Owns the family's entry point; facts in catalogue.py, the simulator in environment.py, words in texts/.
"""

from __future__ import annotations

from promptpo.sim.environments.base import Environment, EnvironmentSpec
from promptpo.sim.environments.family import Texts
from promptpo.sim.environments.mujoco.catalogue import specs
from promptpo.sim.environments.mujoco.texts import texts


class _MujocoFamily:
    name = "mujoco"

    def specs(self) -> tuple[EnvironmentSpec, ...]:
        return specs()

    def make(self, spec: EnvironmentSpec) -> Environment:
        from promptpo.sim.environments.mujoco.environment import MujocoTask

        return MujocoTask(spec)

    def texts(self, spec: EnvironmentSpec) -> Texts:
        return texts(spec)


FAMILY = _MujocoFamily()
