"""A NoiseWorld board: its codes as the agent sees them and, for each cell, what leaving it does.

Owns the reading of boards.json and the rules that need no randomness. Refuses to draw anything.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

Cell = tuple[int, int]
"""(row, column), both from 0, row 0 at the top."""

WALL, GOAL, TRAP, FIRST_KEY, SECOND_KEY = 3, 4, 5, 6, 7
MOVES: tuple[Cell, ...] = ((-1, 0), (1, 0), (0, -1), (0, 1))
"""Change of (row, column) of the actions 0 up, 1 down, 2 left, 3 right."""


@dataclass(frozen=True)
class Leaving:
    """What an unblocked move out of a cell does: it succeeds with `probability`, else it fails."""

    kind: Literal["deterministic", "stay", "reset"]
    """What a failed move does: "stay" keeps the agent where it is, "reset" puts it back at the start."""
    probability: float
    """1.0 for "deterministic", which draws nothing."""


@dataclass(frozen=True)
class Board:
    """One board. Immutable; shared by all environments of a process."""

    number: int
    n: int
    cells: tuple[tuple[int, ...], ...]
    """Code of each cell, rows from the top."""
    leaving: tuple[tuple[Leaving, ...], ...]
    has_keys: bool

    @property
    def goal(self) -> Cell:
        """The goal's cell: the lower right corner."""
        return (self.n - 1, self.n - 1)

    @property
    def horizon(self) -> int:
        """Steps after which an episode is truncated: n squared."""
        return self.n * self.n

    @property
    def codes(self) -> tuple[int, ...]:
        """The codes that occur, ascending, each once."""
        return tuple(sorted({code for row in self.cells for code in row}))

    def code(self, cell: Cell) -> int:
        """The code of `cell`."""
        return self.cells[cell[0]][cell[1]]

    def asked(self, cell: Cell, action: int) -> Cell | None:
        """Where `action` asks to go from `cell`; None if an edge or a wall blocks it."""
        row, column = cell[0] + MOVES[action][0], cell[1] + MOVES[action][1]
        if not (0 <= row < self.n and 0 <= column < self.n) or self.cells[row][column] == WALL:
            return None
        return (row, column)


BOARD_NUMBERS = (0, 1, 2, 3, 4, 5, 6)


def board(number: int) -> Board:
    """Board `number`, 0 to 6. Raises KeyError for another."""
    return _boards()[number]


@cache
def _boards() -> dict[int, Board]:
    document = json.loads(files(__package__).joinpath("boards.json").read_text("utf-8"))
    return {int(number): _parse(int(number), raw) for number, raw in document["boards"].items()}


def _parse(number: int, raw: dict[str, Any]) -> Board:
    n = int(raw["n"])
    cells = tuple(tuple(int(code) for code in row) for row in raw["cells"])
    regions = [_leaving(region) for region in raw["regions"]]
    leaving = tuple(
        tuple(
            # Key cells never fail, whatever region they lie in.
            Leaving("deterministic", 1.0) if cells[r][c] in (FIRST_KEY, SECOND_KEY) else regions[int(region)]
            for c, region in enumerate(row)
        )
        for r, row in enumerate(raw["region_of_cell"])
    )
    _check_square(cells, n)
    _check_square(leaving, n)
    return Board(number=number, n=n, cells=cells, leaving=leaving, has_keys=bool(raw["keys"]))


def _leaving(region: dict[str, Any]) -> Leaving:
    p, p_alt = float(region["p"]), float(region["p_alt"])
    match region["kind"]:
        case "deterministic":
            return Leaving("deterministic", 1.0)
        case "stay":
            return Leaving("stay", p)
        case "reset":
            return Leaving("reset", p / (p + 1 - p_alt))
        case other:
            raise ValueError(f"boards.json: unknown region kind {other!r}")


def _check_square(rows: Sequence[Sequence[object]], n: int) -> None:
    if len(rows) != n or any(len(row) != n for row in rows):
        raise ValueError(f"boards.json: expected {n} rows of {n} cells")
