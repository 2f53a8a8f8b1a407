"""Judges an action that came out of the jail: shape, kind, finite, and whether it lies within the bounds.

Nothing is clipped, converted or repaired: an action that passes goes to the environment with the dtype and
the bits that the policy returned.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from ..policy_error import PolicyError, PolicyFailed
from .frames import Answer

_SMALL: Final = 64
"""Up to this many entries a loop over Python floats is faster than numpy's calls."""


Action: TypeAlias = npt.NDArray[Any] | int
"""Box: an array of its own, of the dtype that the policy returned. Discrete: a plain int."""


@dataclass(frozen=True)
class ActionRules:
    """What an environment takes."""

    kind: str
    """"box" or "discrete"."""
    shape: tuple[int, ...]
    """() for discrete."""
    low: tuple[float, ...]
    high: tuple[float, ...]
    n: int
    """Discrete: codes are 0..n-1."""

    @property
    def room_bytes(self) -> int:
        """What an action may take in an answer frame: the widest dtype, or one integer."""
        return 8 * math.prod(self.shape)


class ActionJudge:
    """Judges the answers of one episode and counts the actions outside the bounds."""

    def __init__(self, rules: ActionRules) -> None:
        self._rules = rules
        shape = rules.shape if rules.kind == "box" else (0,)
        self._low = np.array(rules.low, dtype=np.float64).reshape(shape)
        self._high = np.array(rules.high, dtype=np.float64).reshape(shape)
        # Within finite bounds a number is finite: then one comparison answers both questions.
        finite = bool(np.isfinite(self._low).all() and np.isfinite(self._high).all())
        is_small = len(rules.low) <= _SMALL
        self._pairs = tuple(zip(rules.low, rules.high, strict=True)) if finite and is_small else None
        self.out_of_bounds_count = 0

    def judge(self, answer: Answer) -> Action:
        """The action to take. Raises PolicyFailed with BAD_ACTION."""
        if self._rules.kind == "discrete":
            return self._code(answer)
        if answer.dtype.kind not in "iuf":
            raise _bad(f"act returned {_told(answer)}, expected numbers of shape {self._rules.shape}")
        if answer.shape != self._rules.shape:
            raise _bad(f"act returned {_told(answer)}, expected shape {self._rules.shape}")
        return self.judge_box(np.frombuffer(answer.data, answer.dtype).reshape(answer.shape).copy())

    def judge_box(self, action: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The same for a box's action of the right shape and kind: only its values are judged."""
        if self._pairs is not None:
            for value, (low, high) in zip(action.ravel().tolist(), self._pairs):  # noqa: B905  same shape
                if not low <= value <= high:
                    break
            else:
                return action
        if not np.isfinite(action).all():
            where = tuple(int(index) for index in np.argwhere(~np.isfinite(action))[0])
            at = f" at index {list(where)}" if where else ""
            raise _bad(f"act returned {action[where]}{at}, expected finite numbers")
        if bool(((action < self._low) | (action > self._high)).any()):
            self.out_of_bounds_count += 1
        return action

    def _code(self, answer: Answer) -> int:
        n = self._rules.n
        if answer.dtype.kind not in "iu" or answer.shape != ():
            raise _bad(f"act returned {_told(answer)}, expected one integer from 0 to {n - 1}")
        code = int(np.frombuffer(answer.data, answer.dtype)[0])
        if not 0 <= code < n:
            raise _bad(f"act returned {code}, expected an integer from 0 to {n - 1}")
        return code


def _told(answer: Answer) -> str:
    """What came, in the policy's terms."""
    if answer.shape != ():
        return f"an array of shape {answer.shape} and dtype {answer.dtype}"
    if answer.dtype.kind == "b":
        return "a bool"
    value = np.frombuffer(answer.data, answer.dtype)[0] if answer.data else ""
    return f"the number {value} ({answer.dtype})".replace("  ", " ")


def _bad(message: str) -> PolicyFailed:
    return PolicyFailed(PolicyError("BAD_ACTION", message))
