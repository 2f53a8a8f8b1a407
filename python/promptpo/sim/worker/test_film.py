"""What a video shows: which steps, at which size, and what is written on them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from promptpo.sim.environments import registry
from promptpo.sim.environments.base import Environment, Observation, Step
from promptpo.sim.worker import film
from promptpo.sim.worker.film import Film

STEPS = 7


class Grey(Environment):
    """Draws its step number as a shade of grey and gives it as reward."""

    def __init__(self, shape: tuple[int, int] = (240, 320)) -> None:
        self.spec = replace(registry.spec("NoiseWorld-0"), horizon=STEPS)
        self._shape = shape
        self._steps = 0

    def reset(self, seed: int) -> Observation:
        self._steps = 0
        return ()

    def step(self, action: object) -> Step:
        self._steps += 1
        return Step((), float(self._steps), False, self._steps == STEPS, False)

    def render(self) -> npt.NDArray[np.uint8]:
        return np.full((*self._shape, 3), 100 + self._steps, np.uint8)

    def close(self) -> None:
        self._steps = 0


@pytest.fixture
def captions(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, tuple[int, ...], str]]:
    """Shade, shape and caption of every frame that is shown."""
    seen: list[tuple[int, tuple[int, ...], str]] = []
    original = film._captioned

    def noted(frame: film.Frame, height: int, caption: str) -> film.Frame:
        written = original(frame, height, caption)
        seen.append((int(written[-1, -1, 0]) - 100, written.shape, caption))
        return written

    monkeypatch.setattr(film, "_captioned", noted)
    return seen


def played(stride: int, height: int = 0) -> Film:
    environment = Grey()
    shown = Film(environment.spec, stride, height)
    with shown:
        filmed = shown.of(environment)
        filmed.reset(0)
        for _ in range(STEPS):
            filmed.step(None)
    return shown


def test_the_first_state_every_kth_and_the_last_with_reward_and_return_so_far(
    captions: list[tuple[int, tuple[int, ...], str]],
) -> None:
    shown = played(3)
    assert [(shade, caption) for shade, _, caption in captions] == [
        (0, "step 0   reward 0.000   return 0.000"),
        (3, "step 3   reward 3.000   return 6.000"),
        (6, "step 6   reward 6.000   return 21.000"),
        (7, "step 7   reward 7.000   return 28.000"),
    ]
    assert shown.frame_count == 4
    assert shown.video()[4:8] == b"ftyp"


@pytest.mark.parametrize(("height", "shape"), [(0, (255, 320, 3)), (120, (120, 141, 3)), (64, (64, 67, 3))])
def test_picture_and_caption_are_together_as_high_as_was_asked_for(
    captions: list[tuple[int, tuple[int, ...], str]], height: int, shape: tuple[int, ...]
) -> None:
    played(STEPS, height)
    assert {shape for _, shape, _ in captions} == {shape}


def test_the_caption_stands_above_the_picture_which_stays_as_it_is() -> None:
    frame = np.full((240, 320, 3), 100, np.uint8)
    written = film._captioned(frame, 240, "step 1   reward 0.000   return 0.000")
    assert written.shape == (255, 320, 3)
    assert (written[15:] == frame).all()
    assert written[:15].max() > 200
    assert written[:15].min() == 0
    assert (film._captioned(frame, 240, "step 1   reward 0.000   return 0.000") == written).all()
