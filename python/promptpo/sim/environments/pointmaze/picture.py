"""The picture of a maze from above: walls, goal, ball and the way it came, drawn with Pillow.

Owns colours and sizes. Needs no display and no OpenGL; the same state gives the same pixels.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from promptpo.sim.environments.pointmaze.catalogue import WALL

WIDTH: Final = 480
"""Pixels: even, as video encoders want it, and a multiple of 10 and of 12 columns. The height follows."""

_FINER: Final = 3
"""Drawn this many times larger and then averaged, since Pillow draws without smoothing."""

_BALL_RADIUS: Final = 0.1
_GOAL_RADIUS: Final = 0.45
"""Metres: the ball's size, and the distance that counts as reached."""

_WALL: Final = (55, 61, 69)
_FLOOR: Final = (236, 239, 241)
_SEAM: Final = (222, 226, 230)
_GOAL: Final = (205, 229, 207)
_GOAL_LINE: Final = (88, 160, 95)
_TRAIL: Final = (140, 172, 205)
_BALL: Final = (25, 90, 160)
_START: Final = (120, 128, 136)

Point = tuple[float, float]


def picture(
    rows: tuple[str, ...], goal: npt.NDArray[np.float64], path: npt.NDArray[np.float64]
) -> npt.NDArray[np.uint8]:
    """`(480 / columns * rows, 480, 3)` uint8.

    rows: the map. goal: (2,) in metres. path: (n, 2) in metres, n >= 1, where the ball has been since the
    start, oldest first; it is now at the last.
    """
    # A copy: the background is drawn once a map.
    image = _background(rows).copy()
    draw = ImageDraw.Draw(image)
    side = image.width / len(rows[0])

    def place(point: npt.NDArray[np.float64]) -> Point:
        return float(point[0]) * side + image.width / 2, image.height / 2 - float(point[1]) * side

    _disc(draw, place(goal), _GOAL_RADIUS * side, _GOAL, _GOAL_LINE)
    _disc(draw, place(goal), 0.04 * side, _GOAL_LINE, _GOAL_LINE)
    if len(path) > 1:
        draw.line([place(point) for point in path], fill=_TRAIL, width=2 * _FINER, joint="curve")
        _disc(draw, place(path[0]), 0.06 * side, _START, _START)
    _disc(draw, place(path[-1]), _BALL_RADIUS * side, _BALL, _BALL)
    return np.array(image.reduce(_FINER), dtype=np.uint8)


@lru_cache(maxsize=8)
def _background(rows: tuple[str, ...]) -> Image.Image:
    side = WIDTH * _FINER // len(rows[0])
    image = Image.new("RGB", (side * len(rows[0]), side * len(rows)), _FLOOR)
    draw = ImageDraw.Draw(image)
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            left, top = column * side, row * side
            box = (left, top, left + side - 1, top + side - 1)
            if cell == WALL:
                draw.rectangle(box, fill=_WALL)
            else:
                draw.rectangle(box, fill=_FLOOR, outline=_SEAM, width=1)
    return image


def _disc(
    draw: ImageDraw.ImageDraw,
    centre: Point,
    radius: float,
    fill: tuple[int, int, int],
    outline: tuple[int, int, int],
) -> None:
    x, y = centre
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill, outline=outline, width=_FINER)
