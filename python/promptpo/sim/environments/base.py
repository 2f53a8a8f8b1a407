"""What an environment is: its description (spec), one step's outcome, and the four calls the worker makes.

Owns the seam between simulators and whoever runs policies on them. Refuses to know any simulator:
importing this module costs numpy and nothing else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Observation: TypeAlias = tuple[npt.NDArray[Any], ...]
"""One array a field, in the order of `EnvironmentSpec.observation`: C-order, owned by nobody else, dtype
and shape as the field says. A scalar field is an array of shape ()."""

ActionKind: TypeAlias = Literal["box", "discrete"]
Selection: TypeAlias = Literal["mean_return", "mean_success"]
RewardKind: TypeAlias = Literal["source", "specification", "vague"]


@dataclass(frozen=True)
class Field:
    """One field of the observation object, as the policy reads it (`obs.<name>`)."""

    name: str
    dtype: str
    """"float64" or "int64"."""
    shape: tuple[int, ...]
    """() is a scalar."""
    unit: str
    """SI in words ("m, rad"); "1" where the number has no unit."""
    description: str

    @property
    def nbytes(self) -> int:
        """Bytes of the field's data in a frame (every dtype is eight bytes wide)."""
        return 8 * self.size

    @property
    def size(self) -> int:
        """Number of entries."""
        return int(np.prod(self.shape, dtype=np.int64))


@dataclass(frozen=True)
class ActionSpace:
    """What `act` has to return: a vector (box) or one integer code (discrete)."""

    kind: ActionKind
    shape: tuple[int, ...]
    """() for discrete."""
    dtype: str
    """What the simulator declares ("float32", "float64", "int64"). A policy may return another numeric
    dtype: it is passed on unchanged, and is part of the result."""
    low: tuple[float, ...]
    """Box: one bound an entry, flattened. Discrete: empty."""
    high: tuple[float, ...]
    n: int
    """Discrete: codes are 0..n-1. Box: 0."""


@dataclass(frozen=True)
class EnvironmentSpec:
    """All that is known of an environment without making it."""

    id: str
    """As a user writes it: "HalfCheetah-v5", "button-press-v3", "NoiseWorld-4"."""
    family: str
    """"mujoco", "metaworld", "noiseworld", ...: the folder; "yours" is anybody's own."""
    variant: str
    """The variant this spec is of; "default" where there is only one."""
    variants: tuple[str, ...]
    """All variants of the id; the first is the default."""
    horizon: int
    """Steps after which an episode is truncated."""
    dt: float
    """Seconds of simulated time a step; 1.0 where the task has no time (NoiseWorld)."""
    policy_class: str
    """Name of the class that a policy source defines ("HalfCheetahPolicy")."""
    observation: tuple[Field, ...]
    action: ActionSpace
    selection: Selection
    """What candidates are compared by."""
    reward_kinds: tuple[RewardKind, ...]
    """The kinds of reward text that exist for the id."""
    default_reward_kind: RewardKind
    lanes: int = 1
    """Environments that one process may step in turns. More than 1 only where a test shows that objects share
    no state: an episode must not see its neighbours."""
    revision: str = ""
    """What the environment's own code is beyond what the numeric fingerprint covers; "" for ours."""


class Step(NamedTuple):
    """What one step brought. A tuple: one is made at every step."""

    observation: Observation
    reward: float
    terminated: bool
    truncated: bool
    success: bool
    """Success at this very step; an episode succeeded if any of its steps did."""


class Environment(ABC):
    """One simulator, reused for many episodes.

    An episode is a function of (id, variant, policy, seed): what an object has done before must not be
    seen in its next episode. Not thread-safe. The caller closes it.
    """

    spec: EnvironmentSpec

    @abstractmethod
    def reset(self, seed: int) -> Observation:
        """Begins the episode of `seed` (an int >= 0) and returns its first observation."""

    @abstractmethod
    def step(self, action: object) -> Step:
        """Takes one step with `action` exactly as given: its dtype is kept, its values are not clipped.

        The caller has checked shape and kind. Raises RuntimeError before `reset` and after the end of an
        episode, ValueError for an action that the space cannot hold (a discrete code out of range).
        """

    @abstractmethod
    def render(self) -> npt.NDArray[np.uint8]:
        """A picture of the present state, `(height, width, 3)` uint8, upright.

        Raises RenderingUnavailable where the machine cannot draw. Changes nothing that an episode sees.
        """

    @abstractmethod
    def close(self) -> None:
        """Frees simulator and renderer; may be called twice."""
