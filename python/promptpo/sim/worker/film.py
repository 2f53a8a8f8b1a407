"""Films an episode: an environment that draws itself as it is stepped, and the encoder beside it.

Owns which states are drawn, what is written on them and how fast they are shown. Drawing happens on the
thread that steps (an OpenGL context belongs to one thread); encoding on another, so that frames need not all
be kept.
"""

from __future__ import annotations

import math
import queue
import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from promptpo.sim.environments.base import Environment, EnvironmentSpec, Observation, Step
from promptpo.sim.errors import SimError, invalid
from promptpo.sim.rendering import RenderingUnavailable, write_mp4

Frame = npt.NDArray[np.uint8]

_FRAMES: Final = 150
"""About as many by default: Meta-World draws some 11 a second."""

_SLOWEST_FPS, _FASTEST_FPS = 6.0, 50.0
"""Real time, within what can be watched: a NoiseWorld step is no second long."""

MAX_HEIGHT: Final = 2160
_QUEUED: Final = 16
_LEAST_STRIP: Final = 14
"""Pixels; nobody reads what stands in a lower line."""


class Film:
    """A video of one episode. Use it as a context around the episode, then take `video`."""

    def __init__(self, spec: EnvironmentSpec, stride: int, height: int) -> None:
        if stride < 0:
            raise invalid("request.stride", "a stride cannot be negative")
        if not 0 <= height <= MAX_HEIGHT:
            raise invalid("request.height", f"a picture's height lies between 1 and {MAX_HEIGHT} pixels")
        self._stride = stride or max(1, math.ceil(spec.horizon / _FRAMES))
        self._height = height
        self._fps = min(max(1.0 / (spec.dt * self._stride), _SLOWEST_FPS), _FASTEST_FPS)
        self._frames: queue.Queue[Frame | None] = queue.Queue(_QUEUED)
        self._encoder = threading.Thread(target=self._encode, name="encoder", daemon=True)
        self._failure: Exception | None = None
        self._video = b""
        self.frame_count = 0

    def of(self, environment: Environment) -> Environment:
        """The same environment, drawing itself: its first state, every `stride`-th, and its last."""
        return _Filmed(environment, self._stride, self._take)

    def video(self) -> bytes:
        """The mp4; empty if nothing was drawn (the policy did not start)."""
        if self._failure is not None:
            raise SimError("INTERNAL", f"the video could not be encoded: {self._failure}") from self._failure
        return self._video

    def __enter__(self) -> Self:
        self._encoder.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._frames.put(None)
        self._encoder.join()

    def _take(self, frame: Frame, caption: str) -> None:
        # The picture and the line above it are as high together as was asked for.
        picture = _resized(frame, self._height and self._height - _strip_height(self._height))
        self._frames.put(_captioned(picture, self._height or frame.shape[0], caption))
        self.frame_count += 1

    def _encode(self) -> None:
        frames = self._queued()
        try:
            first = next(frames, None)
            if first is None:
                return
            with tempfile.TemporaryDirectory(prefix="promptpo-video-") as folder:
                path = Path(folder) / "episode.mp4"
                write_mp4(path, chain((first,), frames), self._fps)
                self._video = path.read_bytes()
        except Exception as error:
            self._failure = error
            while self._frames.get() is not None:  # or the drawing side would wait for room for ever
                continue

    def _queued(self) -> Iterator[Frame]:
        while (frame := self._frames.get()) is not None:
            yield frame


class _Filmed(Environment):
    def __init__(self, environment: Environment, stride: int, take: Callable[[Frame, str], None]) -> None:
        self.spec = environment.spec
        self._environment = environment
        self._stride = stride
        self._take = take
        self._steps = 0
        self._reward = 0.0
        self._return = 0.0

    def reset(self, seed: int) -> Observation:
        observation = self._environment.reset(seed)
        self._steps = 0
        self._reward = self._return = 0.0
        self._draw()
        return observation

    def step(self, action: object) -> Step:
        step = self._environment.step(action)
        self._steps += 1
        self._reward = step.reward
        self._return += step.reward
        if self._steps % self._stride == 0 or step.terminated or step.truncated:
            self._draw()
        return step

    def render(self) -> Frame:
        return self._environment.render()

    def close(self) -> None:
        self._environment.close()

    def _draw(self) -> None:
        try:
            frame = self._environment.render()
        except RenderingUnavailable as error:
            raise SimError("RENDERING_UNAVAILABLE", str(error)) from error
        caption = f"step {self._steps}   reward {self._reward:.3f}   return {self._return:.3f}"
        self._take(frame, caption)


def _resized(frame: Frame, height: int) -> Frame:
    if height in (0, frame.shape[0]):
        return frame
    width = max(1, round(frame.shape[1] * height / frame.shape[0]))
    return np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.LANCZOS))


def _captioned(frame: Frame, height: int, caption: str) -> Frame:
    """A line of text above the frame, in the size that goes with `height`: what is seen may be anywhere."""
    strip = _strip_height(height)
    image = Image.new("RGB", (frame.shape[1], frame.shape[0] + strip))
    image.paste(Image.fromarray(frame), (0, strip))
    text = ImageDraw.Draw(image)
    text.text((strip // 4, strip // 2), caption, fill="white", font=_font(strip * 2 // 3), anchor="lm")
    return np.asarray(image)


def _strip_height(height: int) -> int:
    return max(_LEAST_STRIP, height // 16)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own, so that pictures do not depend on what is installed."""
    return ImageFont.load_default(size)
