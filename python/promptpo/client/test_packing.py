"""Spaces and batches that are packed and read come back as they were."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array
from hypothesis import given, settings
from hypothesis import strategies as st

from promptpo.client.packing import BatchReader, BatchWriter
from promptpo.client.spaces import UnsupportedSpace, leaves, space_from_message, space_to_message
from promptpo.sim.v1 import sim_pb2

SHAPES = st.lists(st.integers(1, 3), max_size=3).map(tuple)
SEEDS = st.integers(0, 2**31)


@st.composite
def boxes(draw: st.DrawFn) -> Any:
    shape = draw(SHAPES)
    dtype: Any = draw(st.sampled_from([np.float32, np.float64, np.int64, np.uint8, np.int16]))
    rng = np.random.default_rng(draw(SEEDS))
    if np.issubdtype(dtype, np.floating):
        low = (-rng.random(shape)).astype(dtype)
        high = rng.random(shape).astype(dtype)
        low = np.where(rng.random(shape) < 0.3, dtype(-np.inf), low)
        high = np.where(rng.random(shape) < 0.3, dtype(np.inf), high)
    else:
        low = rng.integers(0, 5, shape).astype(dtype)
        high = low + rng.integers(0, 100, shape).astype(dtype)
    return spaces.Box(np.asarray(low, dtype), np.asarray(high, dtype), shape=shape, dtype=dtype)


@st.composite
def multi_discretes(draw: st.DrawFn) -> Any:
    shape = draw(st.lists(st.integers(1, 3), min_size=1, max_size=2).map(tuple))
    dtype = draw(st.sampled_from([np.int64, np.int32, np.uint8]))
    rng = np.random.default_rng(draw(SEEDS))
    nvec = rng.integers(1, 9, shape).astype(dtype)
    start = rng.integers(0 if dtype is np.uint8 else -5, 5, shape).astype(dtype)
    return spaces.MultiDiscrete(nvec, dtype=dtype, start=start)


PLAIN: st.SearchStrategy[Any] = st.one_of(
    boxes(),
    st.builds(lambda n, start: spaces.Discrete(n, start=start), st.integers(1, 50), st.integers(-9, 9)),
    multi_discretes(),
    st.integers(1, 5).map(spaces.MultiBinary),
    st.just((2, 3)).map(spaces.MultiBinary),
)
SPACES: st.SearchStrategy[Any] = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.dictionaries(st.text(min_size=1, max_size=4), inner, min_size=1, max_size=3).map(spaces.Dict),
        st.lists(inner, min_size=1, max_size=3).map(lambda found: spaces.Tuple(tuple(found))),
    ),
    max_leaves=5,
)


def same(left: Any, right: Any) -> bool:
    """Structure, keys in order, dtypes and bits."""
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, tuple):
        return len(left) == len(right) and all(map(same, left, right))
    alike: bool = left.dtype == right.dtype and left.shape == right.shape
    return alike and left.tobytes() == right.tobytes()


@settings(deadline=None, max_examples=150)
@given(space=SPACES, n=st.integers(1, 4), seed=SEEDS)
def test_a_space_and_a_batch_of_it_come_back(space: Any, n: int, seed: int) -> None:
    message = sim_pb2.Space.FromString(space_to_message(space).SerializeToString())
    found = space_from_message(message)
    assert found == space
    assert space_to_message(found).SerializeToString() == message.SerializeToString()
    space.seed(seed)
    samples = [space.sample() for _ in range(n)]
    batch = concatenate(space, samples, create_empty_array(space, n))
    writer, reader = BatchWriter(space, n), BatchReader(found, n)
    read = reader.read(writer.parts(batch))
    assert same(read, batch)
    assert same(reader.assemble(reader.split(writer.write(batch))), batch)
    assert batch_space(found, n).contains(read)


@settings(deadline=None, max_examples=50)
@given(space=boxes())
def test_bounds_keep_their_bits(space: Any) -> None:
    found = space_from_message(space_to_message(space))
    assert (found.low.tobytes(), found.high.tobytes()) == (space.low.tobytes(), space.high.tobytes())
    assert found.dtype == space.dtype


def test_rows_are_written_into_a_larger_batch() -> None:
    space = spaces.Dict({"a": spaces.Discrete(9), "b": spaces.Box(-1.0, 1.0, (2,), np.float64)})
    rows = {"a": np.array([3, 4]), "b": np.array([[0.1, 0.2], [0.3, 0.4]])}
    parts = BatchWriter(space, 2).parts(rows)
    reader = BatchReader(space, 5)
    arrays = reader.empty()
    reader.read_into(parts, arrays, slice(1, 3))
    reader.read_into(parts, arrays, [4, 0])
    assert reader.assemble(arrays)["a"].tolist() == [4, 3, 4, 0, 3]
    assert arrays[1][[1, 4]].tolist() == [[0.1, 0.2], [0.1, 0.2]]


def test_a_dict_in_another_order_keeps_it() -> None:
    from collections import OrderedDict

    space = spaces.Dict(OrderedDict(b=spaces.Discrete(2), a=spaces.Discrete(3)))
    assert [leaf.path for leaf in leaves(space_from_message(space_to_message(space)))] == [("b",), ("a",)]


def test_a_batch_that_does_not_fit_is_refused_with_what_was_expected() -> None:
    writer = BatchWriter(spaces.Box(-1.0, 1.0, (3,), np.float32), 2)
    assert len(writer.write(np.zeros((2, 3)))) == 24  # float64 goes into float32, as gymnasium's own batches
    with pytest.raises(ValueError, match=r"shape \(2, 3\) at the batch, got \(3, 3\)"):
        writer.write(np.zeros((3, 3)))
    with pytest.raises(TypeError, match="expected int64"):
        BatchWriter(spaces.Discrete(4), 2).write(np.zeros(2))
    with pytest.raises(ValueError, match="at the batch\\['a'\\]"):
        BatchWriter(spaces.Dict({"a": spaces.Discrete(4)}), 1).write(np.zeros(1))
    reader = BatchReader(spaces.Discrete(4), 2)
    with pytest.raises(ValueError, match="expected 16 bytes for 2 rows of int64"):
        reader.split(b"0" * 15)
    with pytest.raises(ValueError, match="expected 1 packed leaves"):
        reader.read([b"", b""])
    with pytest.raises(ValueError, match="expected 16 bytes"):
        reader.read([b"0" * 8])


def test_spaces_without_a_fixed_size_are_refused() -> None:
    for space in (spaces.Text(3), spaces.Sequence(spaces.Discrete(2))):
        with pytest.raises(UnsupportedSpace, match="cannot be packed"):
            space_to_message(space)
        with pytest.raises(UnsupportedSpace):
            leaves(spaces.Tuple((space,)))
