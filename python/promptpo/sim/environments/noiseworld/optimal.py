"""The exact optimal value of a NoiseWorld board, for tests and for the regret of a found policy.

Owns the backward induction over (steps left, keys held, cell). Pure; known to us and never shown to a model.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from promptpo.sim.environments.noiseworld.board import FIRST_KEY, SECOND_KEY, TRAP, WALL, Board, Cell, board

_START: Cell = (0, 0)
_ACTIONS = 4
_KEY_STATES = 3


@dataclass(frozen=True)
class Optimum:
    """What the best policy that sees the whole state (cell, keys, steps left) does, and earns on average."""

    value: float
    """Expected return of an episode from the start, float64 (exact but for rounding)."""
    success_probability: float
    """Probability that this policy is paid the bonus within the horizon."""
    actions: npt.NDArray[np.int8]
    """`(horizon + 1, 3, n, n)`: the best action with so many steps left, keys held, in that cell; ties to the
    lowest. Entries at 0 steps left, in walls and in cells that end an episode mean nothing."""


@cache
def optimum(number: int) -> Optimum:
    """The optimum of board `number` (0 to 6) within its horizon. Takes a tenth of a second, once a
    process."""
    of = board(number)
    outcomes = {
        (keys, row, column): [_outcomes(of, keys, (row, column), action) for action in range(_ACTIONS)]
        for keys in range(_KEY_STATES)
        for row in range(of.n)
        for column in range(of.n)
        if not _is_terminal(of, (row, column)) and of.code((row, column)) != WALL
    }
    shape = (_KEY_STATES, of.n, of.n)
    value, success = np.zeros(shape), np.zeros(shape)
    actions = np.zeros((of.horizon + 1, *shape), dtype=np.int8)
    for left in range(1, of.horizon + 1):
        next_value, next_success = np.zeros(shape), np.zeros(shape)
        for state, choices in outcomes.items():
            worth = [sum(o.probability * (o.reward + value[o.state]) for o in choice) for choice in choices]
            best = int(np.argmax(worth))
            actions[left][state] = best
            next_value[state] = worth[best]
            next_success[state] = sum(o.probability * (o.success + success[o.state]) for o in choices[best])
        value, success = next_value, next_success
    start = (0, *_START)
    return Optimum(float(value[start]), float(success[start]), actions)


def regret(number: int, mean_return: float) -> float:
    """How much less than the best possible a policy with this mean return earns on board `number`.

    Negative values are luck: the mean of a few episodes may lie above the expectation.
    """
    return optimum(number).value - mean_return


@dataclass(frozen=True)
class _Outcome:
    probability: float
    reward: float
    success: float
    state: tuple[int, int, int]
    """(keys, row, column) of what comes next; of a terminal cell the value stays 0."""


def _outcomes(of: Board, keys: int, cell: Cell, action: int) -> list[_Outcome]:
    asked = of.asked(cell, action)
    if asked is None:
        return [_Outcome(1.0, -1.0, 0.0, (keys, *cell))]
    leaving = of.leaving[cell[0]][cell[1]]
    if leaving.kind == "deterministic":
        return [_entered(of, keys, asked, 1.0)]
    failed = 1.0 - leaving.probability
    if leaving.kind == "stay":
        elsewhere = _Outcome(failed, -1.0, 0.0, (keys, *cell))
    else:
        elsewhere = _entered(of, keys, _START, failed)
    return [_entered(of, keys, asked, leaving.probability), elsewhere]


def _entered(of: Board, keys: int, cell: Cell, probability: float) -> _Outcome:
    code = of.code(cell)
    taken = (code == FIRST_KEY and keys == 0) or (code == SECOND_KEY and keys == 1)
    reward, success = -1.0, 0.0
    if code == TRAP:
        reward -= of.n**5
    elif cell == of.goal and (not of.has_keys or keys == 2):
        reward, success = reward + of.n**3, 1.0
    return _Outcome(probability, reward, success, (keys + taken, *cell))


def _is_terminal(of: Board, cell: Cell) -> bool:
    return cell == of.goal or of.code(cell) == TRAP
