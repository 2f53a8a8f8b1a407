"""What a model is told of a maze, in each variant: this folder's templates, filled from the maze's own map.

Owns what a variant may say: `no_map` tells neither the map nor which cells hold a start or a goal, and the
rest in the same words as `map`.
"""

from __future__ import annotations

from importlib.resources import files
from string import Template

from promptpo.sim.environments.base import EnvironmentSpec
from promptpo.sim.environments.family import Texts
from promptpo.sim.environments.pointmaze.catalogue import GOAL, MAP, START, Maze, maze


def texts(spec: EnvironmentSpec) -> Texts:
    """The texts of a spec of this family."""
    of = maze(spec.id)
    told = spec.variant == MAP
    return Texts(
        observation=_fill(
            "observation.md",
            rows=of.height,
            columns=of.width,
            # Half the maze, as a number that adds to a cell's: `x = column - 4.5`.
            half_width=of.width / 2,
            half_height=of.height / 2,
            column_shift=of.width / 2 - 0.5,
            row_shift=of.height / 2 - 0.5,
            last_row=of.height - 1,
            last_column=of.width - 1,
            map=_map(of) if told else _fill("no_map.md"),
        ),
        implementation=_fill("implementation.md", horizon=spec.horizon, start=_start(of, told)),
        rewards={
            "source": _read("reward.py.txt"),
            "specification": _read("specification.md"),
            "vague": _read("vague.md"),
        },
    )


def _map(of: Maze) -> str:
    legend = "`1` is a wall, `0` is free."
    if of.tells_cells:
        legend = (
            "`1` is a wall, all others are free: the ball starts in `r`, the goal is in one of the cells `g`."
        )
    return _fill("map.md", map="\n".join(of.rows), legend=legend)


def _start(of: Maze, told: bool) -> str:
    if not of.tells_cells:
        return "The goal's cell is drawn uniformly from all free cells, then the ball's from the others."
    goals = sum(row.count(GOAL) for row in of.rows)
    if not told:
        return (
            "The ball's cell is the same in every episode, the goal's cell is drawn uniformly from "
            f"{goals} cells."
        )
    row = next(number for number, cells in enumerate(of.rows) if START in cells)
    cell = f"(row {row}, column {of.rows[row].index(START)})"
    return (
        f"The ball's cell is {cell} in every episode, the goal's cell is drawn uniformly from\n"
        f"the {goals} cells marked `g` in the map."
    )


def _fill(name: str, **values: object) -> str:
    return Template(_read(name)).substitute(values)


def _read(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")
