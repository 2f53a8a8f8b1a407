"""Stepping environments apart from each other, in EnvPool's manner: rows are returned in the order in which
they come.

Each shard works on its requests one after another; several shards work at once. No more requests are under
way on a shard than it keeps answers for, so that a connection that breaks loses none.
"""

from __future__ import annotations

import select
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import numpy as np
from gymnasium.error import AlreadyPendingCallError, NoAsyncCallError

from promptpo.client.errors import FleetError
from promptpo.client.outcomes import Outcome, concatenated, outcome_of
from promptpo.client.packing import Array, BatchReader
from promptpo.client.shard_stream import MOST_OUTSTANDING, ShardStream


class Asynchronous:
    """Rows under way, and rows that came and were not returned yet."""

    def __init__(
        self, shards: Sequence[ShardStream], slices: Sequence[slice], reader: BatchReader, batch_size: int
    ) -> None:
        self.batch_size: Final = batch_size
        self._shards: Final = shards
        self._slices: Final = slices
        self._reader: Final = reader
        count = slices[-1].stop if slices else 0
        self._under_way: Final = np.zeros(count, np.bool_)
        self._asked: Final[list[deque[Array]]] = [deque() for _ in shards]
        """Environments of each shard's requests, oldest first."""
        self._came: Final[deque[tuple[Array, Outcome]]] = deque()
        self._turn = 0

    @property
    def is_busy(self) -> bool:
        """Whether rows are under way or wait to be returned."""
        return len(self._came) > 0 or bool(self._under_way.any())

    def reset(self, seeds: Sequence[int | None]) -> None:
        """Starts episodes in all environments."""
        given = [seed for seed in seeds if seed is not None]
        if len(given) not in (0, len(seeds)):
            raise FleetError("INVALID_ARGUMENT", "seed: expected one an environment or none, got some None")
        self._claim(np.arange(len(self._under_way)))
        with self._nothing_lost():
            self._send_resets(given)

    def _send_resets(self, given: Sequence[int]) -> None:
        for number, at in enumerate(self._slices):
            ids = np.arange(at.start, at.stop)
            for begin in range(0, len(ids), self.batch_size):
                piece = ids[begin : begin + self.batch_size]
                shard = self._free(number)
                shard.reset(self._indices(number, piece), [given[index] for index in piece] if given else ())
                self._asked[number].append(piece)

    def send(self, actions: Sequence[Array], ids: Array) -> None:
        """Steps environments; the arrays, one a leaf, have a row for each."""
        self._claim(ids)
        with self._nothing_lost():
            self._send_actions(actions, ids)

    def _send_actions(self, actions: Sequence[Array], ids: Array) -> None:
        for number, at in enumerate(self._slices):
            rows = np.flatnonzero((ids >= at.start) & (ids < at.stop))
            for begin in range(0, len(rows), self.batch_size):
                piece = rows[begin : begin + self.batch_size]
                data = b"".join([array[piece].tobytes() for array in actions])
                shard = self._free(number)
                shard.act(data, self._indices(number, ids[piece]))
                self._asked[number].append(ids[piece])

    def recv(self) -> tuple[Array, Outcome]:
        """The next rows and whose they are."""
        here = sum(len(ids) for ids, _ in self._came)
        wanted = min(self.batch_size, here + int(self._under_way.sum()))
        if wanted == 0:
            raise NoAsyncCallError(
                "recv is called with nothing under way; call async_reset or send first", "send"
            )
        while here < wanted:
            for number in self._ready():
                here += self._collect(number)
        taken: list[tuple[Array, Outcome]] = []
        while wanted > 0:
            ids, outcome = self._came.popleft()
            if len(ids) > wanted:
                self._came.appendleft((ids[wanted:], outcome.rows(wanted, len(ids))))
                ids, outcome = ids[:wanted], outcome.rows(0, wanted)
            taken.append((ids, outcome))
            wanted -= len(ids)
        return np.concatenate([ids for ids, _ in taken]), concatenated([outcome for _, outcome in taken])

    def _claim(self, ids: Array) -> None:
        taken = ids[self._under_way[ids]]
        if len(taken) > 0 or len(np.unique(ids)) < len(ids):
            which = f"{taken.tolist()} have a step under way" if len(taken) > 0 else "some are named twice"
            raise AlreadyPendingCallError(f"environments can be sent one step at a time: {which}", "send")
        self._under_way[ids] = True

    def _indices(self, number: int, ids: Array) -> Sequence[int]:
        """Within the shard; none where all of it is meant, in order."""
        at = self._slices[number]
        if len(ids) == at.stop - at.start and (np.diff(ids) == 1).all():
            return ()
        found: list[int] = (ids - at.start).tolist()
        return found

    def _free(self, number: int) -> ShardStream:
        """The shard, with room for one more request."""
        shard = self._shards[number]
        while shard.outstanding_count >= MOST_OUTSTANDING:
            self._collect(number)
        return shard

    def _collect(self, number: int) -> int:
        """Takes a shard's next answer; its number of rows."""
        asked = self._asked[number]
        with self._nothing_lost():
            outcome = outcome_of(self._reader, [self._shards[number].take()])
        ids = asked.popleft()
        self._under_way[ids] = False
        self._came.append((ids, outcome))
        return len(ids)

    @contextmanager
    def _nothing_lost(self) -> Iterator[None]:
        """After an error, a shard answers nothing of what was sent to it; those rows are free again."""
        try:
            yield
        except FleetError:
            self._under_way[:] = False
            for shard, asked in zip(self._shards, self._asked, strict=True):
                if shard.outstanding_count == 0:
                    asked.clear()
                for ids in asked:
                    self._under_way[ids] = True
            raise

    def _ready(self) -> list[int]:
        """Shards that have an answer, the longest unheard first; waits for one."""
        count = len(self._shards)
        waiting = [
            each % count for each in range(self._turn, self._turn + count) if self._asked[each % count]
        ]
        while True:
            for number in waiting:
                if self._shards[number].link.holds_answer():
                    self._turn = number + 1
                    return [number]
            poll = select.poll()
            for number in waiting:
                poll.register(self._shards[number].link.fileno(), select.POLLIN)
            poll.poll()
