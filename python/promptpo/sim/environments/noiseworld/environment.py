"""The NoiseWorld simulator: the only place that draws, moves the agent and pays rewards.

Owns the rules that hold for a step. An episode is a function of (board, seed, actions): the generator is
made anew from the seed at every reset and drawn from exactly once an unblocked move that may fail.
"""

from __future__ import annotations

import operator

import numpy as np
import numpy.typing as npt

from promptpo.sim.environments.base import Environment, EnvironmentSpec, Observation, Step
from promptpo.sim.environments.noiseworld.board import FIRST_KEY, SECOND_KEY, TRAP, Board, Cell, board
from promptpo.sim.environments.noiseworld.catalogue import FLAGS, board_number

_START: Cell = (0, 0)


class NoiseWorld(Environment):
    """One board in one variant; the variants differ in the names of two fields only."""

    def __init__(self, spec: EnvironmentSpec) -> None:
        self.spec = spec
        self.board: Board = board(board_number(spec))
        self._shown = np.array(self.board.cells, dtype=np.int64).reshape(-1)
        self._shows_flags = spec.variant in FLAGS
        self._rng: np.random.Generator | None = None
        self._begin()

    def _begin(self) -> None:
        self._agent = _START
        self._keys = 0  # how many of the two keys are held: 0, 1 or 2
        self._steps = 0

    def reset(self, seed: int) -> Observation:
        """Puts the agent on (0, 0) without keys."""
        self._rng = np.random.default_rng(seed)
        self._begin()
        return self._observe()

    def step(self, action: object) -> Step:
        """Tries the move 0 up, 1 down, 2 left or 3 right; a blocked move draws nothing."""
        rng = self._rng
        if rng is None:
            raise RuntimeError("step needs a reset first: no episode is running")
        move = operator.index(action)  # type: ignore[arg-type]  # raises TypeError for what is no integer
        if not 0 <= move < 4:
            raise ValueError(f"action must be 0, 1, 2 or 3, got {move}")
        entered = self._moved(move, rng)
        self._steps += 1
        reward, terminated, success = -1.0, False, False
        if entered is not None:
            self._agent = entered
            reward, terminated, success = self._arrive(entered)
        truncated = not terminated and self._steps >= self.board.horizon
        if terminated or truncated:
            self._rng = None
        return Step(self._observe(), reward, terminated, truncated, success)

    def _moved(self, move: int, rng: np.random.Generator) -> Cell | None:
        """The cell that is entered by this step; None if the agent stays where it is."""
        asked = self.board.asked(self._agent, move)
        if asked is None:
            return None
        leaving = self.board.leaving[self._agent[0]][self._agent[1]]
        if leaving.kind == "deterministic" or rng.random() < leaving.probability:
            return asked
        return _START if leaving.kind == "reset" else None

    def _arrive(self, cell: Cell) -> tuple[float, bool, bool]:
        """(reward, terminated, success) of a step that entered `cell`; takes a key that lies there."""
        n = self.board.n
        code = self.board.code(cell)
        if (code == FIRST_KEY and self._keys == 0) or (code == SECOND_KEY and self._keys == 1):
            self._keys += 1
        if code == TRAP:
            return -1.0 - n**5, True, False
        if cell == self.board.goal:
            won = not self.board.has_keys or self._keys == 2
            return (-1.0 + n**3 if won else -1.0), True, won
        return -1.0, False, False

    def _observe(self) -> Observation:
        last = self.board.n - 1
        goal = self.board.goal
        positions = (self._agent[0] / last, self._agent[1] / last, goal[0] / last, goal[1] / last)
        shown: Observation = (*(np.array(value, dtype=np.float64) for value in positions), self._shown.copy())
        if not self._shows_flags:
            return shown
        return (*shown, np.array(int(self._keys >= 1)), np.array(int(self._keys == 2)))

    def render(self) -> npt.NDArray[np.uint8]:
        """The board with the agent on it, drawn with Pillow."""
        from promptpo.sim.environments.noiseworld.picture import picture

        return picture(self.board, self._agent, self._keys)

    def close(self) -> None:
        """Ends the episode; there is nothing to free."""
        self._rng = None
