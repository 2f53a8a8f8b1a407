"""Draws the rail: a module of the folder that the other one imports."""

from __future__ import annotations

import numpy as np

HEIGHT, WIDTH = 96, 480


def picture(shuttle: float, berth: float) -> np.ndarray:
    """Both places in -1..1; an array (96, 480, 3) of uint8."""
    frame = np.full((HEIGHT, WIDTH, 3), 245, dtype=np.uint8)
    frame[46:50] = (120, 120, 120)
    _box(frame, berth, 20, (90, 170, 90))
    _box(frame, shuttle, 12, (60, 90, 200))
    return frame


def _box(frame: np.ndarray, place: float, half: int, colour: tuple[int, int, int]) -> None:
    middle = round((place + 1) / 2 * (WIDTH - 1))
    frame[48 - half : 48 + half, max(0, middle - half) : middle + half] = colour
