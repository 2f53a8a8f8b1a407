"""What a family of environments (one folder) offers to the registry: specs, texts, construction.

Owns the interface and nothing else. A family's package imports no simulator until `make` is called.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from promptpo.sim.environments.base import Environment, EnvironmentSpec, RewardKind


@dataclass(frozen=True)
class Texts:
    """What a model is told of an environment: Markdown, complete without anything else."""

    observation: str
    implementation: str
    rewards: Mapping[RewardKind, str]
    """One text a reward kind of the spec; "source" is Python code, the others are Markdown."""


class Family(Protocol):
    """One folder of environments that are built in the same way."""

    @property
    def name(self) -> str:
        """The folder's name."""

    def specs(self) -> tuple[EnvironmentSpec, ...]:
        """Every environment in every variant; the default variant of an id comes first."""

    def make(self, spec: EnvironmentSpec) -> Environment:
        """Builds the simulator of `spec`. Imports it, which may take most of a second."""

    def texts(self, spec: EnvironmentSpec) -> Texts:
        """The texts of `spec`. Imports no simulator."""
