"""The outcome of a step while it is gathered: one row an environment, then packed into a StepResponse.

Owns the arrays that are written into and how a value gets there. Knows nothing of environments. What a plain
step answers is encoded here by hand: the sizes of its fields are known beforehand, and building a message
costs more than all the rest of an exchange.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from promptpo.client.packing import BatchReader
from promptpo.client.spaces import Leaf, Space
from promptpo.sim.v1 import sim_pb2

Array: TypeAlias = npt.NDArray[Any]


class Outcome:
    """Room for `n` rows, used again for every step: `begin`, fill the rows, `pack`."""

    def __init__(self, space: Space, n: int) -> None:
        reader = BatchReader(space, n)
        self._leaves = reader.leaves
        self._observations = reader.empty()
        self._finals = reader.empty()
        # The usual case, an observation that is one array, is written without a look at the space.
        self.whole = self._observations[0] if [leaf.path for leaf in self._leaves] == [()] else None
        """The array of observations where there is but one; rows may be written into it directly."""
        self.rewards = np.zeros(n, np.float64)
        self.terminated = bytearray(n)
        self.truncated = bytearray(n)
        self.success = bytearray(n)
        self.knows_success = False
        """Some environment said whether it succeeded."""
        self._has_finals = False
        self.causes: dict[int, str] = {}
        self._count = n
        self._n = n
        self._zeros = bytes(n)
        self._heads = _Heads(self._leaves, n)

    def begin(self, count: int) -> None:
        """A new outcome of `count` rows, all of which will be written."""
        self._count = count
        self.terminated[:] = self.truncated[:] = self.success[:] = self._zeros
        self.rewards[:] = 0.0
        self.knows_success = False
        if self._has_finals:
            for array in self._finals:
                array[...] = 0
            self._has_finals = False
        if self.causes:
            self.causes = {}

    def put(self, row: int, observation: Any) -> None:  # noqa: ANN401 - an array, or what the space nests
        """A row's observation. Raises what a value that does not fit raises."""
        if self.whole is not None:
            self.whole[row] = observation
        else:
            _scatter(self._leaves, self._observations, row, observation)

    def put_first(self, row: int, observation: Any) -> None:  # noqa: ANN401
        """The same, for an episode's first observation, which is looked at more closely. Raises TypeError."""
        for leaf in self._leaves:
            value = np.asarray(_at(observation, leaf))
            if value.shape != leaf.shape or not np.can_cast(value.dtype, leaf.dtype, "same_kind"):
                raise TypeError(
                    f"the environment's space says {leaf.dtype}{list(leaf.shape)}, "
                    f"its observation is {value.dtype}{list(value.shape)}"
                )
        self.put(row, observation)

    def put_final(self, row: int) -> None:
        """Keeps the row's observation as the last one of its episode; another one follows in its place."""
        self._has_finals = True
        for final, array in zip(self._finals, self._observations, strict=True):
            final[row] = array[row]

    def lose(self, row: int, index: int, cause: str) -> None:
        """The row's environment is dead: nothing is observed any more. Its reward stays."""
        for array in self._observations:
            array[row] = 0
        self.truncated[row] = 1
        self.causes[index] = cause

    def pack(self, step: int, indices: Sequence[int]) -> bytes:
        """The serialized StepResponse."""
        count = self._count
        if not (indices or self._has_finals or self.causes):
            return self._pack_plain(step)
        transition = sim_pb2.Transition(
            step=step,
            indices=indices,
            observations=[array[:count].tobytes() for array in self._observations],
            rewards=self.rewards[:count].tobytes(),
            terminated=bytes(self.terminated[:count]),
            truncated=bytes(self.truncated[:count]),
            success=bytes(self.success[:count]) if self.knows_success else b"",
        )
        if self._has_finals:
            transition.final_observations.extend(array[:count].tobytes() for array in self._finals)
        if self.causes:
            transition.causes.update(self.causes)
        return sim_pb2.StepResponse(transition=transition).SerializeToString()

    def _pack_plain(self, step: int) -> bytes:
        """The same, of all environments, none of which died or was reset behind its end."""
        heads = self._heads
        number = _varint(step)
        parts: list[Any] = [number]
        for head, array in zip(heads.observations, self._observations, strict=True):
            parts += (head, array)
        parts += (heads.rewards, self.rewards)
        parts += (heads.terminated, self.terminated, heads.truncated, self.truncated)
        size = heads.size
        if self.knows_success:
            parts += (heads.success, self.success)
            size += len(heads.success) + self._n
        # Any C-contiguous array is joined as its bytes.
        return b"".join((heads.begin, _varint(size + len(number)), heads.step, *parts))


class _Heads:
    """What stands before each field of a Transition of `n` rows: its tag and, but for the step, its size."""

    def __init__(self, leaves: Sequence[Leaf], n: int) -> None:
        self.begin = _head(sim_pb2.StepResponse, "transition")
        self.step = _head(sim_pb2.Transition, "step")
        self.observations = [_head(sim_pb2.Transition, "observations", n * leaf.nbytes) for leaf in leaves]
        self.rewards = _head(sim_pb2.Transition, "rewards", 8 * n)
        self.terminated = _head(sim_pb2.Transition, "terminated", n)
        self.truncated = _head(sim_pb2.Transition, "truncated", n)
        self.success = _head(sim_pb2.Transition, "success", n)
        heads = (*self.observations, self.rewards, self.terminated, self.truncated)
        data = n * (sum(leaf.nbytes for leaf in leaves) + 8 + 2)
        self.size = len(self.step) + sum(map(len, heads)) + data
        """Of a Transition without `success` and without the number of the step."""


def _head(message: Any, field: str, size: int | None = None) -> bytes:  # noqa: ANN401 - a message's class
    described = message.DESCRIPTOR.fields_by_name[field]
    length_delimited = described.type in (described.TYPE_BYTES, described.TYPE_MESSAGE)
    tag = _varint(described.number << 3 | (2 if length_delimited else 0))
    return tag if size is None else tag + _varint(size)


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def _scatter(leaves: Sequence[Leaf], arrays: Sequence[Array], row: int, observation: Any) -> None:  # noqa: ANN401
    for leaf, array in zip(leaves, arrays, strict=True):
        array[row] = _at(observation, leaf)


def _at(observation: Any, leaf: Leaf) -> Any:  # noqa: ANN401
    for key in leaf.path:
        observation = observation[key]
    return observation
