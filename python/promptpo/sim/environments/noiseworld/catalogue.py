"""The specs of NoiseWorld-0 to NoiseWorld-6. Owns fields, names and variants; refuses to know any rule."""

from __future__ import annotations

from promptpo.sim.environments.base import ActionSpace, EnvironmentSpec, Field
from promptpo.sim.environments.naming import policy_class
from promptpo.sim.environments.noiseworld.board import BOARD_NUMBERS, Board, board

NO_KEY_INFO, KEY_INFO, DEFAULT = "no_key_info", "key_info", "default"

FLAGS: dict[str, tuple[str, str]] = {
    # A name is a leak too: without key information the flags are called nothing.
    NO_KEY_INFO: ("extra_0", "extra_1"),
    KEY_INFO: ("has_first_key", "has_second_key"),
}


def board_number(spec: EnvironmentSpec) -> int:
    """The board of a spec of this family."""
    return int(spec.id.rpartition("-")[2])


def specs() -> tuple[EnvironmentSpec, ...]:
    """All boards; boards with keys in both variants, the one without key information first."""
    return tuple(
        _spec(board(number), variant, _variants(board(number)))
        for number in BOARD_NUMBERS
        for variant in _variants(board(number))
    )


def _variants(of: Board) -> tuple[str, ...]:
    return (NO_KEY_INFO, KEY_INFO) if of.has_keys else (DEFAULT,)


def _spec(of: Board, variant: str, variants: tuple[str, ...]) -> EnvironmentSpec:
    id = f"NoiseWorld-{of.number}"  # noqa: A001 - the spec's own word
    return EnvironmentSpec(
        id=id,
        family="noiseworld",
        variant=variant,
        variants=variants,
        horizon=of.horizon,
        dt=1.0,
        policy_class=policy_class(id),
        observation=(
            _position("agent_row", "row of the agent's cell"),
            _position("agent_col", "column of the agent's cell"),
            _position("goal_row", "row of the goal's cell"),
            _position("goal_col", "column of the goal's cell"),
            Field("board", "int64", (of.n * of.n,), "1", "code of every cell, row after row from the top"),
            *(Field(name, "int64", (), "1", _flag(name)) for name in FLAGS.get(variant, ())),
        ),
        action=ActionSpace(kind="discrete", shape=(), dtype="int64", low=(), high=(), n=4),
        selection="mean_return",
        reward_kinds=("vague",),
        default_reward_kind="vague",
        lanes=4,
    )


def _position(name: str, what: str) -> Field:
    return Field(name, "float64", (), "1", f"{what} divided by n - 1: 0 is the first, 1 the last")


def _flag(name: str) -> str:
    return {
        "has_first_key": "1 once the first key (code 6) was taken, else 0",
        "has_second_key": "1 once the second key (code 7) was taken after the first, else 0",
    }.get(name, "0 or 1")
