"""Batches on the wire: the values of a space for some environments, packed leaf by leaf, environment first.

`BatchWriter` packs what a user of `gymnasium.vector` holds (an array; for a Dict space a dict of arrays, for
a Tuple space a tuple), `BatchReader` gives the same back. Every leaf is C order in its own dtype; nothing on
the wire says what it is: both sides know the space. Needs numpy and gymnasium only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from promptpo.client.spaces import Leaf, Space, leaves

Array: TypeAlias = npt.NDArray[Any]
Batch: TypeAlias = Any
"""An array with the environment as first axis; for a Dict space a dict, for a Tuple space a tuple of such."""
Rows: TypeAlias = slice | Sequence[int] | npt.NDArray[np.integer[Any]]


class BatchReader:
    """Reads packed values of a space."""

    def __init__(self, space: Space, n: int) -> None:
        self.leaves: list[Leaf] = leaves(space)
        self.n = n
        """Rows that `read` expects where it is not told another number."""
        self._space = space

    def empty(self, n: int | None = None) -> list[Array]:
        """One array of zeros a leaf, `(n, *shape)`."""
        rows = self.n if n is None else n
        return [np.zeros((rows, *leaf.shape), leaf.dtype) for leaf in self.leaves]

    def read(self, parts: Sequence[bytes], n: int | None = None) -> Batch:
        """A new batch, writable, of one part a leaf. Raises ValueError for parts of another size."""
        return self.assemble([array.copy() for array in self.views(parts, n)])

    def read_into(self, parts: Sequence[bytes], arrays: Sequence[Array], rows: Rows) -> None:
        """Writes the parts into rows of `arrays` (as `empty` gives them); `rows` is a slice or indices."""
        count = len(range(*rows.indices(len(arrays[0])))) if isinstance(rows, slice) else len(rows)
        for array, view in zip(arrays, self.views(parts, count), strict=True):
            array[rows] = view

    def views(self, parts: Sequence[bytes], n: int | None = None) -> list[Array]:
        """One read-only array a leaf, `(n, *shape)`, upon the parts' own bytes."""
        rows = self.n if n is None else n
        if len(parts) != len(self.leaves):
            raise ValueError(f"expected {len(self.leaves)} packed leaves, got {len(parts)}")
        return [_view(part, leaf, rows, 0) for part, leaf in zip(parts, self.leaves, strict=True)]

    def split(self, data: bytes, n: int | None = None) -> list[Array]:
        """The same for leaves that are packed one behind the other in `data`, as actions are."""
        rows = self.n if n is None else n
        expected = rows * sum(leaf.nbytes for leaf in self.leaves)
        if len(data) != expected:
            raise ValueError(
                f"expected {expected} bytes for {rows} rows of {_named(self.leaves)}, got {len(data)}"
            )
        found, offset = [], 0
        for leaf in self.leaves:
            found.append(_view(data, leaf, rows, offset))
            offset += rows * leaf.nbytes
        return found

    def assemble(self, arrays: Sequence[Array]) -> Batch:
        """The batch of one array a leaf: the array itself, or the space's dicts and tuples of them."""
        return _assembled(self._space, iter(arrays))


class BatchWriter:
    """Packs values of a space."""

    def __init__(self, space: Space, n: int) -> None:
        self.leaves: list[Leaf] = leaves(space)
        self.n = n
        """Rows that a batch has to have where `parts` and `write` are not told another number."""

    def arrays(self, batch: Batch, n: int | None = None) -> list[Array]:
        """The leaves of a batch in their dtype, C order. Raises ValueError, TypeError for one that does not
        fit."""
        rows = self.n if n is None else n
        return [self._array(batch, leaf, rows) for leaf in self.leaves]

    def parts(self, batch: Batch, n: int | None = None) -> list[bytes]:
        """One part a leaf, as observations travel."""
        return [array.tobytes() for array in self.arrays(batch, n)]

    def write(self, batch: Batch, n: int | None = None) -> bytes:
        """All leaves one behind the other, as actions travel."""
        return b"".join(self.parts(batch, n))

    def _array(self, batch: Batch, leaf: Leaf, rows: int) -> Array:
        value = batch
        for key in leaf.path:
            try:
                value = value[key]
            except (KeyError, IndexError, TypeError) as error:
                raise ValueError(f"expected a value at {_path(leaf)}, got {_short(batch)}") from error
        array = np.asarray(value)
        if array.shape != (rows, *leaf.shape):
            expected = (rows, *leaf.shape)
            raise ValueError(f"expected an array of shape {expected} at {_path(leaf)}, got {array.shape}")
        if not np.can_cast(array.dtype, leaf.dtype, casting="same_kind"):
            raise TypeError(f"expected {leaf.dtype} at {_path(leaf)}, got {array.dtype}")
        return np.ascontiguousarray(array, dtype=leaf.dtype).reshape(array.shape)


def _view(data: bytes, leaf: Leaf, rows: int, offset: int) -> Array:
    shape = (rows, *leaf.shape)
    try:
        return np.ndarray(shape, leaf.dtype, data, offset)
    except TypeError as error:  # the buffer is too small
        size = rows * leaf.nbytes
        raise ValueError(f"expected {size} bytes for {_path(leaf)}, got {len(data) - offset}") from error


def _assembled(space: Space, arrays: Iterator[Array]) -> Batch:
    if isinstance(space, spaces.Dict):
        return {name: _assembled(inner, arrays) for name, inner in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(_assembled(inner, arrays) for inner in space.spaces)
    return next(arrays)


def _path(leaf: Leaf) -> str:
    return "the batch" + "".join(f"[{key!r}]" for key in leaf.path)


def _named(found: Sequence[Leaf]) -> str:
    return " and ".join(f"{leaf.dtype}{list(leaf.shape)}" for leaf in found)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
