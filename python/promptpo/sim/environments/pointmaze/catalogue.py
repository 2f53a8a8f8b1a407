"""The mazes that are offered: their maps, and the specs made of them.

Owns one table, `MAZES`: a further maze of the simulator is one entry here. Imports no simulator; tests hold
every number and both maps against the live one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from promptpo.sim.environments.base import ActionSpace, EnvironmentSpec, Field
from promptpo.sim.environments.naming import policy_class

MAP, NO_MAP = "map", "no_map"
VARIANTS: Final = (MAP, NO_MAP)
"""They differ in the texts only: `no_map` does not tell which cells are walls."""

HORIZON: Final = 800
DT: Final = 0.01

WALL, START, GOAL = "1", "r", "g"


@dataclass(frozen=True)
class Maze:
    """One maze. Cells are squares of 1 m; the origin is the maze's centre, x points right and y up."""

    id: str
    """gymnasium's own id."""
    rows: tuple[str, ...]
    """From the top: "1" wall, "0" free, "r" where a ball may start, "g" where a goal may be. Without any "r"
    and "g" both may be in any free cell."""

    @property
    def height(self) -> int:
        """Number of rows."""
        return len(self.rows)

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.rows[0])

    @property
    def tells_cells(self) -> bool:
        """Whether the map names the cells of start and goal."""
        return any(START in row or GOAL in row for row in self.rows)

    def cells(self) -> list[list[int | str]]:
        """The map as gymnasium-robotics takes it (`maze_map`)."""
        return [[int(cell) if cell.isdigit() else cell for cell in row] for row in self.rows]


MAZES: Final[tuple[Maze, ...]] = (
    Maze(
        id="PointMaze_Large-v3",
        # Not the simulator's own: a model that remembers that maze must not find its way by heart.
        rows=(
            "1111111111",
            "1000100001",
            "1010101101",
            "1000000101",
            "1011110101",
            "1000000001",
            "1010111101",
            "1000000001",
            "1111111111",
        ),
    ),
    Maze(
        id="PointMaze_Large_Diverse_G-v3",
        rows=(
            "111111111111",
            "1r0001g00001",
            "101101010101",
            "10000g0100g1",
            "101111011101",
            "10g101000001",
            "110101010111",
            "1001g0g10g01",
            "111111111111",
        ),
    ),
)


def maze(id: str) -> Maze:  # noqa: A002 - the spec's own word
    """The maze called `id`. Raises KeyError for another."""
    return {each.id: each for each in MAZES}[id]


def specs() -> tuple[EnvironmentSpec, ...]:
    """Each maze in both variants, the one with its map first."""
    return tuple(_spec(each, variant) for each in MAZES for variant in VARIANTS)


def _spec(of: Maze, variant: str) -> EnvironmentSpec:
    return EnvironmentSpec(
        id=of.id,
        family="pointmaze",
        variant=variant,
        variants=VARIANTS,
        horizon=HORIZON,
        dt=DT,
        policy_class=policy_class(of.id),
        observation=(
            Field(
                "observation_vector",
                "float64",
                (4,),
                "m, m/s",
                "position of the ball's centre (x, y), then its velocity (x, y)",
            ),
            Field("desired_goal", "float64", (2,), "m", "position of the goal (x, y)"),
            Field("achieved_goal", "float64", (2,), "m", "position of the ball's centre (x, y)"),
        ),
        action=ActionSpace(kind="box", shape=(2,), dtype="float32", low=(-1.0,) * 2, high=(1.0,) * 2, n=0),
        selection="mean_return",
        reward_kinds=("source", "specification", "vague"),
        default_reward_kind="source",
        lanes=4,
    )
