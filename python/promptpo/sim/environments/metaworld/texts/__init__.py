"""What a model is told of Meta-World's tasks: templates of this folder filled with the facts of a task.

Owns the wording of a fact. `observation.md` (with `late.md` where a first observation is not valid yet) and
`implementation.md` are for all tasks; `<id>.specification.md` is followed by `definitions.md` (and by
`caging.md` where finger pads occur).
"""

from __future__ import annotations

from importlib.resources import files
from string import Template

from promptpo.sim.environments.base import EnvironmentSpec, RewardKind
from promptpo.sim.environments.family import Texts
from promptpo.sim.environments.metaworld.facts import Box, Facts, Thing, all_facts

_SLOTS = ((4, 7, 11), (11, 14, 18))
"""Where the first and the second object stand: position from, quaternion from, end."""


def texts(spec: EnvironmentSpec) -> Texts:
    """The texts of a spec of this family."""
    facts = all_facts()[spec.id]
    rewards: dict[RewardKind, str] = {}
    if "specification" in spec.reward_kinds:
        rewards["specification"] = _specification(spec.id)
    rewards["vague"] = f"{facts.vague}\n"
    return Texts(observation=_observation(facts), implementation=_implementation(facts), rewards=rewards)


def _observation(of: Facts) -> str:
    rows = [row for thing, slot in zip(of.objects, _SLOTS, strict=False) for row in _rows(thing, slot)]
    if len(of.objects) == 1:
        rows.append("| 11:18 | m, 1 | always 0: the task has no second object |")
    late = ""
    if of.objects_late:
        late = Template(_read("late.md")).substitute(name=of.objects[0].name)
    return Template(_read("observation.md")).substitute(
        scene=of.scene, surface=of.surface, objects="\n".join(rows), goal=of.goal, late=late
    )


def _rows(thing: Thing, slot: tuple[int, int, int]) -> tuple[str, str]:
    first, middle, last = slot
    turned = {
        "wxyz": f"orientation of the {thing.name}: a unit quaternion in the order (w, x, y, z)",
        "xyzw": f"orientation of the {thing.name}: a unit quaternion in the order (x, y, z, w)",
        "fixed": f"no news: a quaternion that does not change while the {thing.name} moves",
        "zero": f"always 0: the orientation of the {thing.name} is not given",
    }[thing.quaternion]
    return (
        f"| {first}:{middle} | m | the {thing.name} (x, y, z): {thing.position} |",
        f"| {middle}:{last} | 1 | {turned} |",
    )


def _implementation(of: Facts) -> str:
    starts = [f"- the hand (entries 0:3) is at ({', '.join(map(str, of.hand_start))});"]
    for thing, (first, middle, _) in zip(of.objects, _SLOTS, strict=False):
        starts.append(f"- the {thing.name} (entries {first}:{middle}) is at {_ranges(thing.start)};")
    starts.append(f"- the goal (entries 36:39) is at {_ranges(of.goal_range)}.")
    notes = [of.start] if of.start else []
    if any(box.low != box.high for box in (of.goal_range, *(thing.start for thing in of.objects))):
        notes.insert(
            0, "Where a range is given, the place is drawn anew for each episode (not always independently)."
        )
    low, high = of.hand_range.low, of.hand_range.high
    rule = f"\n\n    {of.success_rule}        # v = obs.obs_vector" if of.success_rule else ""
    return Template(_read("implementation.md")).substitute(
        hand_x=f"[{low[0]}, {high[0]}]",
        hand_y=f"[{low[1]}, {high[1]}]",
        hand_z=f"[{low[2]}, {high[2]}]",
        starts="\n".join(starts),
        start=f"\n{' '.join(notes)}\n" if notes else "",
        success=of.success,
        rule=rule,
    )


def _ranges(box: Box) -> str:
    parts = []
    for axis, low, high in zip("xyz", box.low, box.high, strict=True):
        parts.append(f"{axis} = {low}" if low == high else f"{axis} in [{low}, {high}]")
    return ", ".join(parts)


def _specification(id: str) -> str:  # noqa: A002 - the spec's own word
    own = _read(f"{id}.specification.md")
    return own + _read("definitions.md") + (_read("caging.md").lstrip("\n") if "left_y" in own else "")


def _read(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")
