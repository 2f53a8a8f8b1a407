"""What came back for some environments: answers of shards put together, and the infos that gymnasium makes
of them.

Rows stand in the order of the answers. Infos follow gymnasium's rules for vector environments: an array a
key and a mask of the rows that have it under the key with an underscore.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from promptpo.client.packing import Array, BatchReader
from promptpo.sim.v1 import sim_pb2

Flags: TypeAlias = npt.NDArray[np.bool_]
Rewards: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """Rows of a step or a reset."""

    observations: list[Array]
    """One array a leaf of the observation space, `(rows, *shape)`."""
    rewards: Rewards
    terminated: Flags
    truncated: Flags
    success: Flags | None
    """None where the environment knows no success."""
    final: list[Array] | None
    """Last observations of rows that ended, where the next episode began in the same step."""
    causes: dict[int, str]
    """Why environments died, by row."""

    @property
    def row_count(self) -> int:
        """How many rows there are."""
        return len(self.rewards)

    @property
    def ended(self) -> Flags:
        """Rows whose episode is over."""
        return self.terminated | self.truncated

    def rows(self, begin: int, end: int) -> Outcome:
        """Some of the rows."""
        at = slice(begin, end)
        return Outcome(
            [leaf[at] for leaf in self.observations],
            self.rewards[at],
            self.terminated[at],
            self.truncated[at],
            None if self.success is None else self.success[at],
            None if self.final is None else [leaf[at] for leaf in self.final],
            {row - begin: cause for row, cause in self.causes.items() if begin <= row < end},
        )


def outcome_of(reader: BatchReader, transitions: Sequence[sim_pb2.Transition]) -> Outcome:
    """The answers' rows, one behind the other, in arrays of their own."""
    if len(transitions) == 1:  # the usual case, and the one that is timed
        (one,) = transitions
        parts: Sequence[bytes] = one.observations
        rewards, success = one.rewards, one.success
        terminated, truncated = one.terminated, one.truncated
    else:
        columns = zip(*[each.observations for each in transitions], strict=True)
        parts = [b"".join(column) for column in columns]
        rewards, success = _joined(transitions, "rewards"), _joined(transitions, "success")
        terminated, truncated = _joined(transitions, "terminated"), _joined(transitions, "truncated")
    count = len(terminated)
    return Outcome(
        [view.copy() for view in reader.views(parts, count)],
        np.frombuffer(bytearray(rewards), np.float64),
        np.frombuffer(bytearray(terminated), np.bool_),
        np.frombuffer(bytearray(truncated), np.bool_),
        np.frombuffer(bytearray(success), np.bool_) if len(success) == count else None,
        _final(reader, transitions, count),
        _causes(transitions),
    )


def _joined(
    transitions: Sequence[sim_pb2.Transition],
    field: Literal["rewards", "terminated", "truncated", "success"],
) -> bytes:
    return b"".join([getattr(each, field) for each in transitions])


def _final(reader: BatchReader, transitions: Sequence[sim_pb2.Transition], count: int) -> list[Array] | None:
    final, begin = None, 0
    for each in transitions:
        if each.final_observations:
            final = reader.empty(count) if final is None else final
            rows = slice(begin, begin + len(each.terminated))
            reader.read_into(each.final_observations, final, rows)
        begin += len(each.terminated)
    return final


def _causes(transitions: Sequence[sim_pb2.Transition]) -> dict[int, str]:
    causes, begin = {}, 0
    for each in transitions:
        if each.causes:
            # The contract counts within the shard; rows count within what was asked for.
            row_of = {index: row for row, index in enumerate(each.indices)} if each.indices else None
            for index, cause in each.causes.items():
                causes[begin + (index if row_of is None else row_of[index])] = cause
        begin += len(each.terminated)
    return causes


def concatenated(outcomes: Sequence[Outcome]) -> Outcome:
    """Several outcomes as one."""
    if len(outcomes) == 1:
        return outcomes[0]
    finals: list[list[Array] | None] = [each.final for each in outcomes]
    if any(final is not None for final in finals):
        finals = [
            [np.zeros_like(leaf) for leaf in each.observations] if each.final is None else each.final
            for each in outcomes
        ]
    successes = [each.success for each in outcomes if each.success is not None]
    causes, begin = {}, 0
    for each in outcomes:
        causes.update({begin + row: cause for row, cause in each.causes.items()})
        begin += each.row_count
    return Outcome(
        _columns([each.observations for each in outcomes]),
        np.concatenate([each.rewards for each in outcomes]),
        np.concatenate([each.terminated for each in outcomes]),
        np.concatenate([each.truncated for each in outcomes]),
        np.concatenate(successes) if len(successes) == len(outcomes) else None,
        _columns([final for final in finals if final is not None]) if finals[0] is not None else None,
        causes,
    )


def infos_of(reader: BatchReader, outcome: Outcome) -> dict[str, Any]:
    """A step's infos: success, final observations, causes of death."""
    infos: dict[str, Any] = {}
    if outcome.success is not None:
        infos["success"] = outcome.success
        infos["_success"] = np.ones(outcome.row_count, np.bool_)
    if outcome.final is not None:
        ended = outcome.ended
        final = np.full(outcome.row_count, None, dtype=object)
        for row in np.flatnonzero(ended):
            final[row] = reader.assemble([leaf[row].copy() for leaf in outcome.final])
        infos["final_obs"], infos["_final_obs"] = final, ended
        infos["final_info"], infos["_final_info"] = {}, ended.copy()
        if outcome.success is not None:
            infos["final_info"] = {"success": outcome.success & ended, "_success": ended.copy()}
    return infos | causes_of(outcome)


def causes_of(outcome: Outcome) -> dict[str, Any]:
    """The part of infos that resets have too: why environments died."""
    if not outcome.causes:
        return {}
    causes = np.full(outcome.row_count, None, dtype=object)
    dead = np.zeros(outcome.row_count, np.bool_)
    for row, cause in outcome.causes.items():
        causes[row], dead[row] = cause, True
    return {"cause": causes, "_cause": dead}


def _columns(rows: Sequence[Sequence[Array]]) -> list[Array]:
    return [np.concatenate(column) for column in zip(*rows, strict=True)]
