"""Steps and resets the environments of a shard with the semantics of gymnasium's SyncVectorEnv.

Owns autoreset modes and what becomes of an environment that raises. Refuses a step that gymnasium refuses, as
a whole and before anything was stepped. Step numbers and connections are not known here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum
from time import perf_counter
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from gymnasium.vector.utils import batch_space, iterate

from promptpo.client.packing import BatchReader
from promptpo.client.spaces import Space
from promptpo.sim.environments.gym_env import picture
from promptpo.sim.errors import SimError, invalid
from promptpo.sim.rendering import RenderingUnavailable
from promptpo.sim.sessions.outcome import Outcome
from promptpo.sim.sessions.slot import Env, Slot

Mode: TypeAlias = Literal["NEXT_STEP", "SAME_STEP", "DISABLED"]

_TIMED_EVERY: Final = 16
"""One step in so many is timed."""
_SAMPLES: Final = 64
_CAUSE_CHARACTERS: Final = 500


class _State(Enum):
    """Of an environment whose next action is no plain step."""

    FRESH = 1
    """It was never reset."""
    ENDED = 2
    """Its episode is over, or it is dead and the client knows."""
    LOST = 3
    """It died with its process, and the client does not know."""


class Stepping:
    """The environments of one shard."""

    def __init__(
        self, make: Callable[[], Env], count: int, mode: Mode, seeds: Sequence[int], lost: str, lives: int
    ) -> None:
        """Makes them. `seeds` is empty or has one an environment. `lost`: they take the place of environments
        that were lost with this cause; `lives`: for the so-manieth time. Raises what `make` raises."""
        given: Sequence[int | None] = seeds or [None] * count
        self._slots = [Slot(make, seed, lives) for seed in given]
        self.mode: Final = mode
        first = self._slots[0].env
        assert first is not None
        self.observation_space: Final[Space] = first.observation_space
        self.action_space: Final[Space] = first.action_space
        for slot in self._slots:
            if slot.env is None or slot.env.observation_space != self.observation_space:
                raise SimError("SIMULATOR_FAILED", "the environments of the session have different spaces")
        self._steps: list[Callable[[Any], Any] | None] = [_step_of(slot) for slot in self._slots]
        self._all: Final = range(count)
        self._actions: Final = _Actions(self.action_space, count)
        self._outcome: Final = Outcome(self.observation_space, count)
        self._lost: Final = lost
        begin = _State.LOST if lost else _State.FRESH
        self._irregular: dict[int, _State] = dict.fromkeys(self._all, begin)
        self.step_count = 0
        self.episode_count = 0
        self.death_count = 0
        self._calls = 0
        self.step_seconds: deque[float] = deque(maxlen=_SAMPLES)

    def reset(self, step: int, indices: Sequence[int], seeds: Sequence[int]) -> bytes:
        """Begins episodes. The serialized answer; raises SimError."""
        rows = self._rows(indices, "reset.indices")
        if seeds and len(seeds) != len(rows):
            raise invalid(
                "reset.seeds", f"expected one seed for each of {len(rows)} environments, got {len(seeds)}"
            )
        if seeds and min(seeds) < 0:
            raise invalid("reset.seeds", f"a seed is 0 or more, got {min(seeds)}")
        self._outcome.begin(len(rows))
        for row, index in enumerate(rows):
            self._begin(row, index, seeds[row] if seeds else None)
        return self._outcome.pack(step, indices)

    def act(self, step: int, indices: Sequence[int], data: bytes) -> bytes:
        """Takes a step, or what the autoreset mode says instead. The serialized answer; raises SimError."""
        rows = self._rows(indices, "actions.indices")
        actions = self._actions.read(data, len(rows))
        irregular = self._irregular
        if irregular:
            self._check_ready(rows)
        outcome = self._outcome
        outcome.begin(len(rows))
        whole, put, rewards = outcome.whole, outcome.put, outcome.rewards
        steps = self._steps
        self._calls += 1
        idle = 0
        began = perf_counter()
        for row, index in enumerate(rows):
            if index in irregular:
                self._catch_up(row, index)
                idle += 1
                continue
            take = steps[index]
            assert take is not None
            try:
                observation, reward, terminated, truncated, info = take(actions[row])
                if whole is None:
                    put(row, observation)
                else:
                    whole[row] = observation
                rewards[row] = reward
                if "success" in info:
                    outcome.success[row] = bool(info["success"])
                    outcome.knows_success = True
            except Exception as error:
                self._die(row, index, error)
                idle += 1
                continue
            if terminated or truncated:
                outcome.terminated[row] = bool(terminated)
                outcome.truncated[row] = bool(truncated)
                self._end(row, index)
        # Environments that were not running then were reset or were lost; they took no step.
        self.step_count += len(rows) - idle
        if self._calls % _TIMED_EVERY == 0:
            self.step_seconds.append((perf_counter() - began) / len(rows))
        return outcome.pack(step, indices)

    def pictures(self, indices: Sequence[int]) -> list[Any]:
        """One frame an environment meant, `(height, width, 3)` uint8. Raises SimError."""
        frames = []
        for index in self._rows(indices, "render.indices"):
            env = self._slots[index].env
            if env is None or self._irregular.get(index) in (_State.FRESH, _State.LOST):
                raise invalid("render.indices", f"environment {index} has no episode yet; reset it first")
            try:
                frames.append(picture(env))
            except RenderingUnavailable as error:
                raise SimError("RENDERING_UNAVAILABLE", str(error)) from error
        return frames

    def _rows(self, indices: Sequence[int], field: str) -> Sequence[int]:
        """The environments meant, each once. Raises SimError."""
        if not indices:
            return self._all
        for index in indices:
            if index not in self._all:
                raise invalid(field, f"{index} is none of the shard's {len(self._all)} environments")
        if len(set(indices)) != len(indices):
            raise invalid(field, "an environment is named more than once")
        return indices

    def _check_ready(self, rows: Sequence[int]) -> None:
        """Raises SimError where gymnasium would: nothing of the step is done then."""
        for index in rows:
            state = self._irregular.get(index)
            if state is _State.FRESH:
                raise invalid("actions.indices", f"environment {index} was never reset; reset it first")
            if state is _State.ENDED and self.mode == "DISABLED":
                problem = f"the episode of environment {index} is over and autoreset is DISABLED; reset it"
                raise invalid("actions.indices", problem)

    def _end(self, row: int, index: int) -> None:
        """The row's step was its episode's last."""
        self.episode_count += 1
        if self.mode == "SAME_STEP":
            self._outcome.put_final(row)
            self._begin(row, index, None)
        else:
            self._irregular[index] = _State.ENDED

    def _catch_up(self, row: int, index: int) -> None:
        """An action for an environment that is not running: it is reset, or its loss is told."""
        if self._irregular[index] is _State.LOST:
            self._tell_death(row, index, self._lost)
        else:
            self._begin(row, index, None)

    def _begin(self, row: int, index: int, seed: int | None) -> None:
        """A new episode; where that fails the environment is dead and its next action tries again."""
        slot = self._slots[index]
        if self._irregular.get(index) is _State.LOST:
            self.death_count += 1
        try:
            self._outcome.put_first(row, slot.begin(seed))
        except Exception as error:
            self.death_count += 1
            slot.discard()
            self._steps[index] = None
            self._irregular[index] = _State.ENDED
            self._outcome.lose(row, index, _one_line(error))
            return
        self._steps[index] = _step_of(slot)
        self._irregular.pop(index, None)

    def _die(self, row: int, index: int, error: Exception) -> None:
        self._slots[index].discard()
        self._steps[index] = None
        self._outcome.rewards[row] = 0.0
        self._outcome.success[row] = 0
        self._tell_death(row, index, _one_line(error))

    def _tell_death(self, row: int, index: int, cause: str) -> None:
        """A death is an end like any other: truncated, and followed by a reset as the mode says."""
        self.death_count += 1
        self._outcome.lose(row, index, cause)
        self._irregular[index] = _State.ENDED
        if self.mode == "SAME_STEP":
            self._outcome.put_final(row)
            self._begin(row, index, None)


class _Actions:
    """Reads packed actions into what each environment's `step` gets."""

    def __init__(self, space: Space, n: int) -> None:
        self._reader = BatchReader(space, n)
        self._dtypes = [np.dtype(_at(space, leaf.path).dtype) for leaf in self._reader.leaves]
        self._batched = batch_space(space, 1)
        first = self._reader.leaves[0]
        self._is_one = first.path == ()
        self._row = (first.dtype, first.shape, first.nbytes, self._dtypes[0])

    def read(self, data: bytes, count: int) -> list[Any]:
        if self._is_one:
            dtype, shape, row_bytes, given = self._row
            if len(data) == count * row_bytes:
                return list(np.ndarray((count, *shape), dtype, data).astype(given))
        try:
            views = self._reader.split(data, count)
        except ValueError as error:
            raise invalid("actions.data", str(error)) from error
        # Copies, as above: an environment may write into its action.
        arrays = [view.astype(dtype) for view, dtype in zip(views, self._dtypes, strict=True)]
        return list(iterate(self._batched, self._reader.assemble(arrays)))


def _at(space: Space, path: Sequence[str | int]) -> Space:
    for key in path:
        space = space[key]
    return space


def _step_of(slot: Slot) -> Callable[[Any], Any] | None:
    return None if slot.env is None else slot.env.step


def _one_line(error: Exception) -> str:
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= _CAUSE_CHARACTERS else text[: _CAUSE_CHARACTERS - 3] + "..."
