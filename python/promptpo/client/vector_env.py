"""Environments of the fleet as gymnasium's vector environment.

`reset` and `step` are bit for bit what `gymnasium.vector.SyncVectorEnv` gives for the same environments,
seeds and actions. `send` and `recv` work as EnvPool's do (asynchronous.py). Actions travel in the dtype of
the action space: those of another one are converted first, those that would lose their kind (a float for an
integer) are refused.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, Literal, TypeAlias, Unpack

import numpy as np
from gymnasium.error import AlreadyPendingCallError, ClosedEnvironmentError, NoAsyncCallError
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from promptpo.client.asynchronous import Asynchronous
from promptpo.client.env_session import EnvSession, SessionSettings, SessionSpec
from promptpo.client.errors import FleetError
from promptpo.client.outcomes import Flags, Outcome, Rewards, causes_of, infos_of, outcome_of
from promptpo.client.packing import Array, Batch, BatchReader, BatchWriter
from promptpo.client.pictures import pixels
from promptpo.client.shard_stream import ShardStream
from promptpo.client.spaces import space_from_message
from promptpo.client.vector_arguments import (
    Seeds,
    mode_of,
    reset_mask,
    resets_of,
    seeds_of,
    session_seeds,
    slices_of,
    spread,
    unfit,
)
from promptpo.rollout.v1 import rollout_pb2
from promptpo.sim.v1 import sim_pb2

Step: TypeAlias = tuple[Batch, Rewards, Flags, Flags, dict[str, Any]]

RENDER_FPS: Final = 30
_MODES: Final = {
    AutoresetMode.NEXT_STEP: rollout_pb2.AUTORESET_MODE_NEXT_STEP,
    AutoresetMode.SAME_STEP: rollout_pb2.AUTORESET_MODE_SAME_STEP,
    AutoresetMode.DISABLED: rollout_pb2.AUTORESET_MODE_DISABLED,
}


class FleetVectorEnv(VectorEnv):  # type: ignore[misc] # gymnasium has no types that mypy follows
    """`num_envs` environments `environment` of the fleet, spread over its sidecars.

    `seed` is used by the first reset that has none: one seed an environment, or the first from which they
    count up. `batch_size` is the number of rows that `recv` returns; by default the environments of one
    sidecar. Closing frees the environments; an object that is dropped closes itself, and a process that
    dies leaves them to their lease.

    Beside what gymnasium's vector environments put there, infos hold `cause`: why an environment died. Such
    a one is truncated, with zeros for an observation, and its next reset makes a new one. Raises
    FleetError.
    """

    def __init__(
        self,
        environment: str,
        num_envs: int = 1,
        *,
        seed: int | Sequence[int] | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        batch_size: int | None = None,
        render_mode: Literal["rgb_array"] | None = "rgb_array",
        **settings: Unpack[SessionSettings],
    ) -> None:
        if num_envs < 1:
            raise unfit("num_envs", "at least 1", num_envs)
        if render_mode not in (None, "rgb_array"):
            raise unfit("render_mode", "'rgb_array' or None", render_mode)
        self.num_envs: int = num_envs
        self.autoreset_mode: Final = mode_of(autoreset_mode)
        self.render_mode: str | None = render_mode
        spec = SessionSpec(environment, num_envs, session_seeds(seed, num_envs), _MODES[self.autoreset_mode])
        self._session: Final = EnvSession(spec, settings)
        self._shards: Final[list[ShardStream]] = []
        # Refers to neither `self` nor anything that does.
        self._finalizer: Final = weakref.finalize(self, _free, self._session, self._shards)
        try:
            for index in range(len(self._session.shards)):
                self._shards.append(ShardStream(self._session, index))
            self._slices: Final = slices_of(self._shards, num_envs)
            opened = self._shards[0].opened
            self.single_observation_space = space_from_message(opened.observation_space)
            self.single_action_space = space_from_message(opened.action_space)
        except BaseException:
            self._finalizer()
            raise
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.metadata: dict[str, Any] = {
            "autoreset_mode": self.autoreset_mode,
            "render_modes": ["rgb_array"],
            "render_fps": RENDER_FPS,
        }
        self.environment: Final = environment
        self._reader: Final = BatchReader(self.single_observation_space, num_envs)
        self._writer: Final = BatchWriter(self.single_action_space, num_envs)
        self._is_stepping = False
        self._answers: list[sim_pb2.Transition] = []
        """To the step that is waited for; an interrupted wait can be taken up again."""
        self._observations: list[Array] = self._reader.empty()
        """Of the last step, for resets that touch some environments only."""
        self._ended: Flags = np.zeros(num_envs, np.bool_)
        """Episodes that wait for their reset, in DISABLED mode."""
        size = num_envs // len(self._shards) if batch_size is None else batch_size
        if not 1 <= size <= num_envs:
            raise unfit("batch_size", f"1 to num_envs={num_envs}", size)
        self._asynchronous: Final = Asynchronous(self._shards, self._slices, self._reader, size)

    # What gymnasium's vector environments have.

    def reset(
        self, *, seed: Seeds = None, options: dict[str, Any] | None = None
    ) -> tuple[Batch, dict[str, Any]]:
        """Starts episodes in all environments, or in those of `options["reset_mask"]`.

        `seed` is one from which environments count up, or one an environment (None: its own generator goes
        on).
        """
        self._assert_idle("reset")
        if isinstance(seed, int | np.integer):
            super().reset(seed=int(seed))
        mask = reset_mask(options, self.num_envs)
        seeds = seeds_of(seed, self.num_envs)
        rows: list[Array] = []
        with self._in_step():
            for shard, at in zip(self._shards, self._slices, strict=True):
                for indices, wanted in resets_of(np.flatnonzero(mask[at]), seeds[at]):
                    shard.reset(() if len(indices) == shard.environment_count else indices.tolist(), wanted)
                    rows.append(indices + shard.first_index)
            outcome = self._take()
        ids = np.concatenate(rows)
        for kept, fresh in zip(self._observations, outcome.observations, strict=True):
            kept[ids] = fresh
        self._ended[ids] = outcome.ended
        return self._reader.assemble([leaf.copy() for leaf in self._observations]), spread(
            causes_of(outcome), ids, self.num_envs
        )

    def step(self, actions: Batch) -> Step:
        """One step in all environments."""
        self.step_async(actions)
        return self.step_wait()

    def step_async(self, actions: Batch) -> None:
        """Sends a step; `step_wait` has its outcome."""
        self._assert_idle("step_async")
        if self.autoreset_mode is AutoresetMode.DISABLED and self._ended.any():
            raise FleetError(
                "INVALID_ARGUMENT",
                f"environments {np.flatnonzero(self._ended).tolist()} have ended and autoreset is disabled: "
                'before the next step, reset(options={"reset_mask": terminated | truncated})',
            )
        arrays = self._packed(actions, self.num_envs)
        with self._in_step():
            for shard, at in zip(self._shards, self._slices, strict=True):
                shard.act(b"".join([array[at].tobytes() for array in arrays]))
        self._is_stepping = True

    def step_wait(self) -> Step:
        """Waits for the step that was sent."""
        if not self._is_stepping:
            raise NoAsyncCallError("step_wait is called without a step_async before it", "step")
        with self._in_step():
            outcome = self._take()
        self._is_stepping = False
        self._observations = outcome.observations
        self._ended = outcome.ended
        observations = self._reader.assemble([leaf.copy() for leaf in outcome.observations])
        infos = infos_of(self._reader, outcome)
        return observations, outcome.rewards, outcome.terminated, outcome.truncated, infos

    def render(self) -> tuple[Array, ...] | None:
        """A picture of each environment, `(height, width, 3) uint8`."""
        self._assert_idle("render")
        if self.render_mode is None:
            return None
        return tuple(pixels(png) for shard in self._shards for png in shard.render())

    def close_extras(self, **_kwargs: object) -> None:
        """Frees the environments."""
        # gymnasium 1.1 closes what was never made, too.
        if hasattr(self, "_finalizer"):
            self._finalizer()

    # What EnvPool has.

    @property
    def batch_size(self) -> int:
        """Rows that `recv` returns."""
        return self._asynchronous.batch_size

    def async_reset(self, seed: Seeds = None) -> None:
        """Starts episodes in all environments; `recv` has their first observations."""
        self._assert_idle("async_reset")
        self._asynchronous.reset(seeds_of(seed, self.num_envs))

    def send(self, actions: Batch, env_ids: Sequence[int] | Array | None = None) -> None:
        """Steps some environments, by default all; `actions` has a row for each, in their order."""
        self._assert_open()
        ids = np.arange(self.num_envs) if env_ids is None else np.asarray(env_ids, dtype=np.int64)
        if ids.ndim != 1 or len(ids) == 0 or ids.min() < 0 or ids.max() >= self.num_envs:
            raise unfit("env_ids", f"indices of 0..{self.num_envs - 1}", env_ids)
        self._asynchronous.send(self._packed(actions, len(ids)), ids)

    def recv(self) -> Step:
        """Waits for the next `batch_size` rows, whichever come first; `info["env_id"]` says whose they are.

        Fewer where fewer are under way. What was returned may be sent again at once.
        """
        self._assert_open()
        ids, outcome = self._asynchronous.recv()
        for kept, fresh in zip(self._observations, outcome.observations, strict=True):
            kept[ids] = fresh
        self._ended[ids] = outcome.ended
        infos = {"env_id": ids, **infos_of(self._reader, outcome)}
        observations = self._reader.assemble(outcome.observations)
        return observations, outcome.rewards, outcome.terminated, outcome.truncated, infos

    def _packed(self, actions: Batch, count: int) -> list[Array]:
        try:
            return self._writer.arrays(actions, count)
        except (ValueError, TypeError) as error:
            raise FleetError("INVALID_ARGUMENT", f"actions for {self.environment}: {error}") from error

    def _take(self) -> Outcome:
        """All outstanding answers, in the order of the shards."""
        for shard in self._shards:
            while shard.outstanding_count > 0:
                self._answers.append(shard.take())
        answers, self._answers = self._answers, []
        return outcome_of(self._reader, answers)

    @contextmanager
    def _in_step(self) -> Iterator[None]:
        """After an error no shard has anything outstanding, so that the next call finds all of them alike."""
        try:
            yield
        except FleetError:
            self._is_stepping = False
            self._answers.clear()
            for shard in self._shards:
                with suppress(FleetError):
                    while shard.outstanding_count > 0:
                        shard.take()
            raise

    def _assert_open(self) -> None:
        if self.closed:
            raise ClosedEnvironmentError(f"{self} is closed; make a new one")

    def _assert_idle(self, wanted: str) -> None:
        self._assert_open()
        if self._is_stepping:
            raise AlreadyPendingCallError(f"{wanted} is called before step_wait", "step")
        if self._asynchronous.is_busy:
            raise AlreadyPendingCallError(f"{wanted} is called before recv has returned all rows", "send")


def _free(session: EnvSession, shards: list[ShardStream]) -> None:
    for shard in shards:
        shard.close()
    session.close()
