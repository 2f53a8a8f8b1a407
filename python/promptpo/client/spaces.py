"""Spaces on the wire: gymnasium's spaces to and from `sim.v1.Space`, and their leaves, which hold numbers.

Needs numpy and gymnasium only; the sidecar and the client share it. Refuses spaces whose values have no fixed
size (Text, Sequence, Graph, OneOf): they cannot be packed.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from promptpo.sim.v1 import sim_pb2

Path: TypeAlias = tuple[str | int, ...]
Space: TypeAlias = Any
"""A gymnasium space; its types differ between the versions that are supported."""


class UnsupportedSpace(ValueError):
    """A space that cannot be carried: its values have no fixed size."""


@dataclass(frozen=True)
class Leaf:
    """A space within a space that holds numbers: what one environment's value of it looks like."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    """() is a scalar."""
    path: Path
    """Keys of dicts and indices of tuples on the way to it; () where the space itself is the leaf."""

    @property
    def nbytes(self) -> int:
        """Bytes of one environment's value."""
        return self.dtype.itemsize * math.prod(self.shape)


def leaves(space: Space) -> list[Leaf]:
    """The leaves of a space in the order in which they are packed. Raises UnsupportedSpace."""
    return list(_leaves(space, ()))


def _leaves(space: Space, path: Path) -> list[Leaf]:
    if isinstance(space, spaces.Dict):
        return [leaf for name, inner in space.spaces.items() for leaf in _leaves(inner, (*path, name))]
    if isinstance(space, spaces.Tuple):
        return [leaf for index, inner in enumerate(space.spaces) for leaf in _leaves(inner, (*path, index))]
    if isinstance(space, spaces.Discrete):
        return [Leaf(np.dtype(np.int64), (), path)]  # the contract has no other integer for it
    if isinstance(space, spaces.Box | spaces.MultiDiscrete | spaces.MultiBinary):
        return [Leaf(np.dtype(space.dtype), tuple(int(size) for size in space.shape), path)]
    raise _unsupported(space)


def space_to_message(space: Space) -> sim_pb2.Space:
    """A gymnasium space as a message; bounds keep their bits. Raises UnsupportedSpace."""
    if isinstance(space, spaces.Box):
        box = sim_pb2.BoxSpace(
            dtype=np.dtype(space.dtype).name,
            shape=[int(size) for size in space.shape],
            low=space.low.tobytes(),
            high=space.high.tobytes(),
        )
        return sim_pb2.Space(box=box)
    if isinstance(space, spaces.Discrete):
        return sim_pb2.Space(discrete=sim_pb2.DiscreteSpace(n=int(space.n), start=int(space.start)))
    if isinstance(space, spaces.MultiDiscrete):
        multi_discrete = sim_pb2.MultiDiscreteSpace(
            dtype=np.dtype(space.dtype).name,
            shape=[int(size) for size in space.shape],
            nvec=[int(count) for count in space.nvec.flat],
            start=[int(first) for first in space.start.flat],
        )
        return sim_pb2.Space(multi_discrete=multi_discrete)
    if isinstance(space, spaces.MultiBinary):
        shape = [int(size) for size in space.shape]
        return sim_pb2.Space(multi_binary=sim_pb2.MultiBinarySpace(shape=shape))
    if isinstance(space, spaces.Dict):
        entries = []
        for name, inner in space.spaces.items():
            if not isinstance(name, str):
                raise UnsupportedSpace(f"a Dict space has the key {name!r}; only names can be carried")
            entries.append(sim_pb2.NamedSpace(name=name, space=space_to_message(inner)))
        return sim_pb2.Space(dict=sim_pb2.DictSpace(entries=entries))
    if isinstance(space, spaces.Tuple):
        inner_messages = [space_to_message(inner) for inner in space.spaces]
        return sim_pb2.Space(tuple=sim_pb2.TupleSpace(spaces=inner_messages))
    raise _unsupported(space)


def space_from_message(message: sim_pb2.Space) -> Space:
    """The gymnasium space of a message. Raises UnsupportedSpace for a kind that is not known here."""
    kind = message.WhichOneof("kind")
    if kind == "box":
        low, high = (_bounds(message.box, data) for data in (message.box.low, message.box.high))
        return spaces.Box(low=low, high=high, shape=low.shape, dtype=low.dtype.type)
    if kind == "discrete":
        return spaces.Discrete(message.discrete.n, start=message.discrete.start)
    if kind == "multi_discrete":
        packed = message.multi_discrete
        dtype, shape = np.dtype(packed.dtype), tuple(packed.shape)
        nvec, start = (
            np.array(numbers, dtype=dtype).reshape(shape) for numbers in (packed.nvec, packed.start)
        )
        return spaces.MultiDiscrete(nvec, dtype=dtype.type, start=start)
    if kind == "multi_binary":
        shape = tuple(message.multi_binary.shape)
        return spaces.MultiBinary(shape[0] if len(shape) == 1 else shape)
    if kind == "dict":
        # An OrderedDict keeps its order in every version; a plain one would be sorted.
        entries = OrderedDict((entry.name, space_from_message(entry.space)) for entry in message.dict.entries)
        return spaces.Dict(entries)
    if kind == "tuple":
        return spaces.Tuple(tuple(space_from_message(inner) for inner in message.tuple.spaces))
    raise UnsupportedSpace(f"a space of kind {kind} is not known to this client; use a newer one")


def _bounds(box: sim_pb2.BoxSpace, data: bytes) -> npt.NDArray[Any]:
    # A copy: gymnasium may write into what it is given.
    return np.frombuffer(data, dtype=np.dtype(box.dtype)).reshape(tuple(box.shape)).copy()


def _unsupported(space: Space) -> UnsupportedSpace:
    return UnsupportedSpace(
        f"a space of kind {type(space).__name__} cannot be packed: expected Box, Discrete, MultiDiscrete, "
        "MultiBinary, or a Dict or Tuple of these"
    )
