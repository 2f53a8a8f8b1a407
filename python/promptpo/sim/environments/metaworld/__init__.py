"""Meta-World: the fifty manipulation tasks of MT1, version 3, with the goal visible.

Owns the family's entry point; facts in tasks.json, the simulator in environment.py, words in texts/.
"""

from __future__ import annotations

from promptpo.sim.environments.base import Environment, EnvironmentSpec
from promptpo.sim.environments.family import Texts
from promptpo.sim.environments.metaworld.catalogue import specs
from promptpo.sim.environments.metaworld.texts import texts


class _MetaworldFamily:
    name = "metaworld"

    def specs(self) -> tuple[EnvironmentSpec, ...]:
        return specs()

    def make(self, spec: EnvironmentSpec) -> Environment:
        from promptpo.sim.environments.metaworld.environment import MetaworldTask

        return MetaworldTask(spec)

    def texts(self, spec: EnvironmentSpec) -> Texts:
        return texts(spec)


FAMILY = _MetaworldFamily()
