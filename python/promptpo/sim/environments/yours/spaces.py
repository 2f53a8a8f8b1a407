"""From gymnasium's spaces to the fields of an observation object, and to what `act` returns.

Owns which spaces are offered and how each field is read out of an observation. Refuses the others by name.
"""

from __future__ import annotations

import keyword
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from promptpo.sim.environments.base import ActionSpace, Field
from promptpo.sim.environments.unknown import BrokenEnvironment
from promptpo.sim.environments.yours.manifest import ObservationEntry

BOX_FIELD: Final = "obs_vector"
DISCRETE_FIELD: Final = "state"
"""What the only field is called where the environment has no names of its own."""

_OFFERED: Final = "Box, Discrete, MultiDiscrete, MultiBinary, or a Dict of these"


@dataclass(frozen=True)
class Reader:
    """One field and where it is read from."""

    field: Field
    path: tuple[str | int, ...]
    """Keys and places on the way into the observation."""
    part: int | slice | None
    """Of the first axis; None is all of it."""
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    """Bounds, of the field's shape."""

    def read(self, observation: Any) -> npt.NDArray[Any]:  # noqa: ANN401 - whatever an environment returns
        """A new array of the field's dtype and shape. Raises ValueError, KeyError for another observation."""
        for step in self.path:
            observation = observation[step]
        whole = np.asarray(observation)
        value = np.array(whole if self.part is None else whole[self.part], dtype=self.field.dtype, order="C")
        if value.shape != self.field.shape:
            at = self.field
            raise ValueError(f"obs.{at.name} has shape {value.shape}, its space says {at.shape}")
        return value


@dataclass(frozen=True)
class Leaf:
    """A space that holds numbers."""

    dtype: str
    shape: tuple[int, ...]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]


def derived_readers(id: str, space: Any) -> tuple[Reader, ...]:  # noqa: A002, ANN401
    """The fields of an environment that nobody described further. Raises BrokenEnvironment."""
    if _kind(space) != "Dict":
        name = BOX_FIELD if _kind(space) == "Box" else DISCRETE_FIELD
        leaf = _leaf(id, space, "the observation space")
        return (_reader(name, leaf, (), None, "1", "the environment's own observation"),)
    readers = []
    for key, inner in space.spaces.items():
        if not isinstance(key, str) or not _is_name(key):
            raise BrokenEnvironment(
                f"{id}: the key {key!r} of the observation space cannot be an attribute of obs; "
                "name the fields in an environment.toml ([[observation]] with name and key)"
            )
        leaf = _leaf(id, inner, f"the observation space's {key!r}")
        readers.append(_reader(key, leaf, (key,), None, "1", f"{key!r} of the environment's own observation"))
    if not readers:
        raise BrokenEnvironment(f"{id}: the observation space Dict() has no entry")
    return tuple(readers)


def named_readers(where: str, space: Any, entries: Sequence[ObservationEntry]) -> tuple[Reader, ...]:  # noqa: ANN401
    """The fields that an `environment.toml` names. Raises BrokenEnvironment with file and key."""
    return tuple(_named(f"{where}: observation[{n}]", space, entry) for n, entry in enumerate(entries))


def _named(where: str, space: Any, entry: ObservationEntry) -> Reader:  # noqa: ANN401
    if not _is_name(entry.name):
        raise BrokenEnvironment(f"{where}.name: expected an attribute name, got {entry.name!r}")
    path, inner = _inner(where, space, entry.key)
    leaf = _leaf(where, inner, f"the space at key {entry.key!r}" if entry.key else "the observation space")
    part = entry.index if entry.slice is None else slice(*entry.slice)
    last = entry.index if entry.slice is None else entry.slice[1] - 1
    if last is not None and (not leaf.shape or last >= leaf.shape[0]):
        key = "index" if entry.slice is None else "slice"
        raise BrokenEnvironment(
            f"{where}.{key}: expected entries of an array of shape {leaf.shape}, got {last}"
        )
    chosen = _reader(
        entry.name, leaf, path, part, entry.unit, entry.description or "of the environment's own observation"
    )
    if entry.shape is not None and entry.shape != chosen.field.shape:
        raise BrokenEnvironment(
            f"{where}.shape: expected {list(chosen.field.shape)} as the space has it, got {list(entry.shape)}"
        )
    if entry.dtype == "int64" and leaf.dtype == "float64":
        raise BrokenEnvironment(
            f"{where}.dtype: expected float64, since the space holds real numbers, got int64"
        )
    if entry.dtype is None or entry.dtype == chosen.field.dtype:
        return chosen
    field = Field(chosen.field.name, entry.dtype, chosen.field.shape, entry.unit, chosen.field.description)
    return Reader(field, chosen.path, chosen.part, chosen.low, chosen.high)


def _inner(where: str, space: Any, key: str) -> tuple[tuple[str | int, ...], Any]:  # noqa: ANN401
    """Follows a dotted key through Dict and Tuple spaces."""
    path: list[str | int] = []
    for step in key.split(".") if key else ():
        kind = _kind(space)
        if kind == "Dict" and step in space.spaces:
            path.append(step)
            space = space.spaces[step]
        elif kind == "Tuple" and step.isdecimal() and int(step) < len(space.spaces):
            path.append(int(step))
            space = space.spaces[int(step)]
        else:
            there = ", ".join(map(str, space.spaces)) if kind == "Dict" else f"a {kind} space"
            raise BrokenEnvironment(f"{where}.key: expected a key of the observation ({there}), got {key!r}")
    return tuple(path), space


def _reader(
    name: str, leaf: Leaf, path: tuple[str | int, ...], part: int | slice | None, unit: str, description: str
) -> Reader:
    low = leaf.low if part is None else leaf.low[part]
    high = leaf.high if part is None else leaf.high[part]
    low, high = np.asarray(low), np.asarray(high)
    return Reader(Field(name, leaf.dtype, low.shape, unit, description), path, part, low, high)


def _leaf(id: str, space: Any, what: str) -> Leaf:  # noqa: A002, ANN401
    kind = _kind(space)
    if kind == "Discrete":
        return Leaf("int64", (), np.array(float(space.start)), np.array(float(space.start + space.n - 1)))
    if kind == "MultiDiscrete":
        start = np.asarray(space.start, dtype=np.float64)
        return Leaf("int64", tuple(space.shape), start, start + np.asarray(space.nvec) - 1)
    if kind == "MultiBinary":
        return Leaf("int64", tuple(space.shape), np.zeros(space.shape), np.ones(space.shape))
    if kind == "Box" and (dtype := _field_dtype(space.dtype)) is not None:
        return Leaf(dtype, tuple(space.shape), space.low.astype(np.float64), space.high.astype(np.float64))
    raise BrokenEnvironment(f"{id}: {what} is {_told(space)}; offered are {_OFFERED}")


def _field_dtype(dtype: np.dtype[Any]) -> str | None:
    if dtype.kind == "f" and dtype.itemsize <= 8:
        return "float64"
    # uint64 does not fit.
    return "int64" if dtype.kind in "ib" or (dtype.kind == "u" and dtype.itemsize < 8) else None


@dataclass(frozen=True)
class Actions:
    """What `act` returns, and how that becomes the environment's own action."""

    space: ActionSpace
    start: int
    """Discrete: the environment's number of code 0."""


def actions(id: str, space: Any) -> Actions:  # noqa: A002, ANN401
    """The action space as offered. Raises BrokenEnvironment for one that is not."""
    kind = _kind(space)
    if kind == "Discrete":
        return Actions(ActionSpace("discrete", (), "int64", (), (), int(space.n)), int(space.start))
    if kind == "Box" and _field_dtype(space.dtype) is not None and space.dtype.kind != "b":
        low, high = (tuple(float(each) for each in bound.ravel()) for bound in (space.low, space.high))
        return Actions(ActionSpace("box", tuple(space.shape), str(space.dtype), low, high, 0), 0)
    raise BrokenEnvironment(f"{id}: the action space is {_told(space)}; offered are Box and Discrete")


def _kind(space: Any) -> str:  # noqa: ANN401
    """The name of gymnasium's own class that a space is of, also where somebody derived from it."""
    names = ("Box", "Discrete", "MultiDiscrete", "MultiBinary", "Dict", "Tuple")
    for cls in type(space).__mro__:
        if cls.__module__.startswith("gymnasium.spaces") and cls.__name__ in names:
            return cls.__name__
    return type(space).__name__


def _told(space: Any) -> str:  # noqa: ANN401
    shown = str(space)
    return f"{shown[:200]}..." if len(shown) > 200 else shown


def _is_name(key: str) -> bool:
    return key.isidentifier() and not keyword.iskeyword(key) and not key.startswith("_")
