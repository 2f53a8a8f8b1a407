"""MuJoCo locomotion and reaching, as gymnasium ships them (v5).

Owns the family's entry point; facts in catalogue.py, the simulator in environment.py, words in texts/.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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

    def gym(self, spec: EnvironmentSpec, options: Mapping[str, Any]) -> Any:  # noqa: ANN401 - untyped there
        from promptpo.sim.environments.gym_env import gymnasium_env
        from promptpo.sim.environments.mujoco.catalogue import task
        from promptpo.sim.environments.mujoco.quick import step_quickly

        env = gymnasium_env(spec.id, options)
        # With arguments of its own a task may read what it does not by default.
        step_quickly(env.unwrapped, contact_forces=bool(options) or task(spec.id).contact_forces)
        return env

    def texts(self, spec: EnvironmentSpec) -> Texts:
        return texts(spec)


FAMILY = _MujocoFamily()
