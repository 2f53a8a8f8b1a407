"""For tests: a shard that steps gymnasium's own SyncVectorEnv and breaks when told to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from promptpo.client.packing import BatchReader, BatchWriter
from promptpo.client.spaces import space_to_message
from promptpo.rollout.v1 import rollout_pb2
from promptpo.sim.v1 import sim_pb2

_KEPT: Final = 16
_MODES: Final = {1: AutoresetMode.NEXT_STEP, 2: AutoresetMode.SAME_STEP, 3: AutoresetMode.DISABLED}

Send: TypeAlias = Callable[[sim_pb2.StepResponse], None]
Told: TypeAlias = Callable[[str, int], bool]
"""Whether something is to happen at a step."""


class Cut(Exception):
    """The connection is to be cut here."""


class SmallShard:
    """One shard: environments, kept answers, a place. All that streams ask of it happens under its lock."""

    def __init__(
        self,
        told: Told,
        requests: list[tuple[str, int]],
        session: rollout_pb2.EnvSession,
        count: int,
        cause: str,
    ) -> None:
        name = session.environment.removeprefix("gym:")
        self.told: Final = told
        self.requests: Final = requests
        self.session: Final = session
        self.envs: Final = SyncVectorEnv(
            [lambda: gymnasium.make(name, disable_env_checker=True)] * count,
            autoreset_mode=_MODES[session.autoreset_mode],
        )
        self.count: Final = count
        self.lock: Final = threading.Lock()
        self.next_step = 0
        self.kept: dict[int, sim_pb2.Transition] = {}
        self.cause = cause
        """Its environments begin as dead, with this cause."""
        self.reader: Final = BatchReader(self.envs.single_action_space, count)
        self.writer: Final = BatchWriter(self.envs.single_observation_space, count)

    def opened(self) -> sim_pb2.ShardOpened:
        """What the next stream is greeted with."""
        return sim_pb2.ShardOpened(
            environment_count=self.count,
            observation_space=space_to_message(self.envs.single_observation_space),
            action_space=space_to_message(self.envs.single_action_space),
            next_step=self.next_step,
            autoreset_mode=self.session.autoreset_mode,
        )

    def serve(self, requests: Iterator[sim_pb2.StepRequest], send: Send) -> None:
        """Answers a stream that begins with `open`."""
        opening = next(requests).open
        if opening.token != self.session.token:
            raise PermissionError(opening.token)
        with self.lock:
            if self.cause:
                self.next_step = opening.last_step + 1
            send(sim_pb2.StepResponse(opened=self.opened()))
            for step in sorted(self.kept):
                if step > opening.last_step:
                    send(sim_pb2.StepResponse(transition=self.kept[step]))
        for request in requests:
            with self.lock:
                self._answer(request, send)

    def _answer(self, request: sim_pb2.StepRequest, send: Send) -> None:
        kind = request.WhichOneof("kind")
        step = request.actions.step if kind == "actions" else request.reset.step
        self.requests.append((kind or "", step))
        if self.told("cut before", step):
            raise Cut
        if step in self.kept:
            return  # sent again when the stream was opened
        if step != self.next_step:
            raise ValueError(f"expected step {self.next_step}, got {step}")
        if self.told("refuse", step):
            raise ValueError("refused, as told")
        transition = self._carry_out(request)
        self.next_step += 1
        self.kept[step] = transition
        self.kept.pop(step - _KEPT, None)
        if self.told("cut after", step):
            raise Cut
        send(sim_pb2.StepResponse(transition=transition))

    def _carry_out(self, request: sim_pb2.StepRequest) -> sim_pb2.Transition:
        n = self.count
        zeros, infos = bytes(n), dict[str, Any]()
        indices = list(request.actions.indices or request.reset.indices) or list(range(n))
        rewards: Any = np.zeros(n)
        terminated: Any = np.zeros(n, np.bool_)
        truncated: Any = np.zeros(n, np.bool_)
        if self.cause:
            cause, self.cause = self.cause, ""
            self.envs.reset()
            parts = [bytes(array.nbytes) for array in self.writer.arrays(self.envs.reset()[0])]
            return sim_pb2.Transition(
                step=self.next_step,
                observations=parts,
                rewards=rewards.tobytes(),
                terminated=zeros,
                truncated=bytes([1] * n),
                causes=dict.fromkeys(range(n), cause),
            )
        if request.HasField("reset"):
            mask = np.isin(np.arange(n), indices)
            seeds: list[int | None] = [None] * n
            for index, seed in zip(indices, request.reset.seeds, strict=False):
                seeds[index] = seed
            observations, _ = self.envs.reset(seed=seeds, options={"reset_mask": mask})
        else:
            # Whole batches only: pieces of a batch are a real shard's business.
            assert indices == list(range(n))
            actions = self.reader.assemble(self.reader.split(request.actions.data))
            observations, rewards, terminated, truncated, infos = self.envs.step(actions)
        final = []
        if "final_obs" in infos:
            arrays = BatchReader(self.envs.single_observation_space, n).empty()
            for row in np.flatnonzero(infos["_final_obs"]):
                arrays[0][row] = infos["final_obs"][row]
            final = [array.tobytes() for array in arrays]
        return sim_pb2.Transition(
            step=self.next_step,
            indices=request.actions.indices or request.reset.indices,
            observations=[array[indices].tobytes() for array in self.writer.arrays(observations)],
            rewards=rewards[indices].tobytes(),
            terminated=terminated[indices].tobytes(),
            truncated=truncated[indices].tobytes(),
            final_observations=final,
        )
