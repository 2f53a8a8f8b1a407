"""A recorded episode: what the policy saw, did and got, as arrays and as a numpy archive."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from promptpo.sim.environments.base import EnvironmentSpec, Observation
from promptpo.sim.errors import SimError
from promptpo.sim.jail.action import Action

SEED: Final = "seed"
"""Name of the array that holds the episode's seed. Archives of earlier versions have none."""


class Trajectory:
    """Keeps every `stride`-th step of one episode, and its seed where it is told."""

    def __init__(self, spec: EnvironmentSpec, stride: int = 1, seed: int | None = None) -> None:
        self._spec = spec
        self._seed = seed
        self._stride = max(stride, 1)
        self._seen = 0
        self.observations: list[Observation] = []
        self._actions: list[Action] = []
        self._rewards: list[float] = []

    def record(self, observation: Observation, action: Action, reward: float) -> None:
        """See Recorder. Observations belong to nobody else, so they are kept as they are."""
        if self._seen % self._stride == 0:
            self.observations.append(observation)
            self._actions.append(action)
            self._rewards.append(reward)
        self._seen += 1

    def npz(self) -> bytes:
        """An uncompressed archive, the same bytes for the same episode: one array a field of the
        observation with the step as first axis, `action`, `reward`; and `seed`, a scalar."""
        space = self._spec.action
        arrays: dict[str, npt.NDArray[Any]] = {}
        for index, field in enumerate(self._spec.observation):
            rows = [observation[index] for observation in self.observations]
            arrays[field.name] = np.array(rows, dtype=field.dtype).reshape(len(rows), *field.shape)
        # A policy may change the dtype of its actions within an episode; the array takes one that holds them
        # all.
        arrays["action"] = (
            np.array(self._actions) if self._actions else np.empty((0, *space.shape), space.dtype)
        )
        arrays["reward"] = np.array(self._rewards, dtype=np.float64)
        # An environment's own field of that name goes first.
        if self._seed is not None and SEED not in arrays:
            arrays[SEED] = np.array(self._seed, dtype=np.int64)
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        return buffer.getvalue()


def observations_of(spec: EnvironmentSpec, npz: bytes, name: str) -> Sequence[Observation]:
    """The observations of a recorded trajectory. Raises SimError if it is none of this environment."""
    try:
        archive = np.load(io.BytesIO(npz), allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise _not_one(spec, name, "it is no archive")
        with archive:
            arrays: Mapping[str, npt.NDArray[Any]] = {f.name: archive[f.name] for f in spec.observation}
    except (ValueError, KeyError, OSError, EOFError, BadZipFile) as error:
        raise _not_one(spec, name, str(error)) from error
    lengths = {array.shape[0] if array.ndim else -1 for array in arrays.values()}
    if len(lengths) != 1:
        raise _not_one(spec, name, "its arrays have different lengths")
    for field in spec.observation:
        array = arrays[field.name]
        if array.dtype != np.dtype(field.dtype) or array.shape[1:] != field.shape:
            raise _not_one(spec, name, f"{field.name} is {array.dtype}{list(array.shape[1:])}")
    return [tuple(np.array(array[step]) for array in arrays.values()) for step in range(lengths.pop())]


def _not_one(spec: EnvironmentSpec, name: str, why: str) -> SimError:
    return SimError("INVALID_ARGUMENT", f"{name} is no trajectory of {spec.id}: {why}", {"field": name})
