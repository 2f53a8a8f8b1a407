"""Frames: what is packed comes out with the same bits, and no bytes at all do more than raise FrameError."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from promptpo.sim.jail import frames
from promptpo.sim.jail.frames import FieldLayout, FrameError, ObservationLayout, Setup
from promptpo.sim.policy_error import KINDS, PolicyError

shapes = st.lists(st.integers(0, 4), max_size=3).map(tuple)
layouts = st.lists(st.tuples(st.sampled_from(["float64", "int64"]), shapes), min_size=1, max_size=5).map(
    lambda found: tuple(FieldLayout(f"f{i}", dtype, shape) for i, (dtype, shape) in enumerate(found))
)


@given(st.data(), layouts, st.integers(0, 2**64 - 1))
def test_observations_round_trip_bit_for_bit(
    data: st.DataObject, fields: tuple[FieldLayout, ...], sequence: int
) -> None:
    layout = ObservationLayout(fields)
    observation = tuple(data.draw(npst.arrays(field.dtype, field.shape)) for field in fields)
    layout.check(observation)
    frame = layout.pack(sequence, observation)
    assert len(frame) == layout.frame_bytes
    assert frames.REQUEST_HEADER.unpack_from(frame) == (sequence, frames.OBSERVATION)
    readers = layout.readers()
    assert tuple(readers) == tuple(field.name for field in fields)
    for field, sent in zip(fields, observation, strict=True):
        seen = readers[field.name](frame)
        assert np.asarray(seen, dtype=field.dtype).tobytes() == sent.tobytes()
        assert np.shape(seen) == field.shape
        assert type(seen) in (float, int) if field.shape == () else not seen.flags.writeable


@given(
    st.integers(0, 2**64 - 1),
    st.sampled_from(frames.DTYPES).flatmap(
        lambda dtype: npst.arrays(dtype, npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3))
    ),
    st.integers(0, 64),
)
def test_actions_round_trip_bit_for_bit(sequence: int, action: npt.NDArray[Any], room: int) -> None:
    frame = frames.pack_action(sequence, action, room)
    assert len(frame) == frames.answer_bytes(room)
    answer = frames.unpack_answer(frame, room)
    assert (answer.sequence, answer.status) == (sequence, frames.ACTION)
    assert answer.dtype == action.dtype
    assert answer.shape == action.shape
    # Of an action that has no room only dtype and shape arrive.
    assert answer.data == (action.tobytes() if action.nbytes <= room else b"")


@given(st.binary(max_size=120), st.integers(0, 64))
def test_any_bytes_are_an_answer_or_a_frame_error(data: bytes, room: int) -> None:
    data = data.ljust(frames.answer_bytes(room), b"\0")[: frames.answer_bytes(room)]
    try:
        answer = frames.unpack_answer(data, room)
    except FrameError:
        return
    assert answer.blob_bytes <= frames.MAX_BLOB_BYTES
    assert len(answer.data) <= room


@given(
    st.sampled_from(sorted(KINDS)),
    st.text(max_size=5_000),
    st.text(max_size=20_000),
    st.none() | st.integers(1, 2**29),
    st.none() | st.integers(1, 2**29),
)
def test_failures_round_trip_within_their_bounds(
    kind: Any, message: str, trace: str, line: int | None, column: int | None
) -> None:
    blob = frames.pack_failure(PolicyError(kind, message, trace, None, line, column))
    assert len(blob) <= frames.MAX_BLOB_BYTES
    error = frames.unpack_failure(blob, KINDS)
    assert (error.kind, error.line, error.column) == (kind, line, column)
    if len(message) <= 4_000:
        assert error.message == message
    else:
        assert error.message.startswith(message[:1_000])
        assert len(error.message) <= 4_000


@given(st.binary(max_size=200))
def test_any_bytes_are_a_failure_or_a_frame_error(data: bytes) -> None:
    try:
        frames.unpack_failure(data, KINDS)
    except FrameError:
        return


@given(layouts, st.text(max_size=200), st.floats(allow_nan=False))
def test_setups_round_trip(fields: tuple[FieldLayout, ...], source: str, dt: float) -> None:
    setup = Setup("act", source, "P", fields, 8, dt, "7:policy", 1 << 30, 3, 4096)
    data = setup.encode()
    assert int.from_bytes(data[:4], "little") == len(data) - 4
    assert Setup.decode(data[4:]) == setup


@pytest.mark.parametrize(
    ("observation", "problem"),
    [
        ((np.zeros(3, np.float32),), "observation field x is float32[3], described as float64[3]"),
        ((np.zeros(4),), "observation field x is float64[4], described as float64[3]"),
        ((), "observation has 0 fields, the description 1"),
        ((np.zeros(6)[::2],), "observation field x is not C-contiguous"),
    ],
)
def test_an_environment_that_breaks_its_own_description(observation: Any, problem: str) -> None:
    with pytest.raises(TypeError) as caught:
        ObservationLayout((FieldLayout("x", "float64", (3,)),)).check(observation)
    assert str(caught.value) == problem
