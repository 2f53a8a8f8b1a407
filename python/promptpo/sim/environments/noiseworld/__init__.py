"""NoiseWorld: seven grid boards on which a move may not do what was asked.

Owns the family's entry point; rules in environment.py, boards in board.py, words in texts/.
"""

from __future__ import annotations

from promptpo.sim.environments.base import Environment, EnvironmentSpec
from promptpo.sim.environments.family import Texts
from promptpo.sim.environments.noiseworld.catalogue import specs
from promptpo.sim.environments.noiseworld.texts import texts


class _NoiseWorldFamily:
    name = "noiseworld"

    def specs(self) -> tuple[EnvironmentSpec, ...]:
        return specs()

    def make(self, spec: EnvironmentSpec) -> Environment:
        from promptpo.sim.environments.noiseworld.environment import NoiseWorld

        return NoiseWorld(spec)

    def texts(self, spec: EnvironmentSpec) -> Texts:
        return texts(spec)


FAMILY = _NoiseWorldFamily()
