"""What differs between Meta-World's tasks, as a table: objects, goal, placements, success.

Owns the reading of tasks.json. Refuses to word anything; tests hold every number and rule against the
simulator.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal, TypeAlias

Quaternion: TypeAlias = Literal["wxyz", "xyzw", "fixed", "zero"]
"""How the four entries after a position are to be read: in that order; without news, since the object
cannot turn or its own turning is not in them; always zero."""

Point: TypeAlias = tuple[float, float, float]
"""x, y, z in metres: x to the robot's right, y away from it, z up."""


@dataclass(frozen=True)
class Box:
    """All points between `low` and `high`, entry by entry."""

    low: Point
    high: Point


@dataclass(frozen=True)
class Thing:
    """An object of the task, as the observation shows it."""

    name: str
    position: str
    """Which point of it the position entries are."""
    quaternion: Quaternion
    start: Box
    """Where that point is in the second observation of an episode, to a few millimetres."""


@dataclass(frozen=True)
class Facts:
    """One task."""

    id: str
    scene: str
    surface: float
    """Height of the table's surface in m, to a few millimetres."""
    objects: tuple[Thing, ...]
    """One or two; entries 4:11 and 11:18 of the observation."""
    goal: str
    """What the goal's position (entries 36:39) is."""
    goal_range: Box
    hand_start: Point
    """Where the hand (entries 0:3) is at the start, to a few millimetres (see `start`)."""
    hand_range: Box
    """The box in which the point stays that the hand is pulled to."""
    start: str
    """What else is to be known of the start; may be empty."""
    objects_late: bool
    """True where the first observation of an episode shows an earlier place of the object."""
    success: str
    """In words: when a step is a success."""
    success_rule: str | None
    """The same as a Python expression of the observation `v` after the step; None where it cannot be told
    from it."""
    vague: str
    """The task in a sentence."""


def all_facts() -> Mapping[str, Facts]:
    """Facts by environment id, in Meta-World's own order."""
    return _table()


@cache
def _table() -> dict[str, Facts]:
    document = json.loads(files(__package__).joinpath("tasks.json").read_text("utf-8"))
    return {name: _facts(name, raw) for name, raw in document.items()}


def _facts(id: str, raw: dict[str, Any]) -> Facts:  # noqa: A002 - the spec's own word
    return Facts(
        id=id,
        scene=raw["scene"],
        surface=raw["surface"],
        objects=tuple(
            Thing(each["name"], each["position"], each["quaternion"], _box(each)) for each in raw["objects"]
        ),
        goal=raw["goal"]["what"],
        goal_range=_box(raw["goal"]),
        hand_start=_point(raw["hand"]["start"]),
        hand_range=_box(raw["hand"]),
        start=raw["start"],
        objects_late=raw["objects_late"],
        success=raw["success"],
        success_rule=raw["success_rule"],
        vague=raw["vague"],
    )


def _box(raw: dict[str, Any]) -> Box:
    return Box(_point(raw["low"]), _point(raw["high"]))


def _point(raw: list[float]) -> Point:
    x, y, z = raw
    return (x, y, z)
