"""The picture of a NoiseWorld board with the agent on it, drawn with Pillow.

Owns colours and sizes. Needs no display and no OpenGL; the same state gives the same pixels.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from promptpo.sim.environments.noiseworld.board import GOAL, Board, Cell

SIZE = 480
"""Width and height in pixels: even, as video encoders want it, and a multiple of 5 and 10."""

_COLOURS: dict[int, tuple[int, int, int]] = {
    0: (236, 239, 241),
    1: (179, 205, 227),
    2: (204, 187, 222),
    3: (55, 61, 69),
    4: (120, 190, 125),
    5: (214, 88, 80),
    6: (245, 196, 92),
    7: (240, 150, 70),
}
_LINE = (255, 255, 255)
_INK = (33, 37, 41)
_AGENT = (25, 90, 160)


def picture(board: Board, agent: Cell, keys: int) -> npt.NDArray[np.uint8]:
    """`(480, 480, 3)` uint8: cells in the colour of their code, the agent a disc with a dot a key held."""
    image = Image.new("RGB", (SIZE, SIZE), _LINE)
    draw = ImageDraw.Draw(image)
    side = SIZE // board.n
    for row, codes in enumerate(board.cells):
        for column, code in enumerate(codes):
            left, top = column * side, row * side
            draw.rectangle((left + 1, top + 1, left + side - 2, top + side - 2), fill=_COLOURS[code])
            if code >= GOAL:
                draw.text((left + side // 2, top + side // 2), str(code), fill=_INK, anchor="mm")
    _draw_agent(draw, agent, keys, side)
    return np.array(image, dtype=np.uint8)


def _draw_agent(draw: ImageDraw.ImageDraw, agent: Cell, keys: int, side: int) -> None:
    x, y = agent[1] * side + side // 2, agent[0] * side + side // 2
    radius = side // 3
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_AGENT, outline=_INK)
    for key in range(keys):
        at = x + (2 * key - 1) * radius // 2
        draw.ellipse((at - 3, y - 3, at + 3, y + 3), fill=_COLOURS[6 + key])
