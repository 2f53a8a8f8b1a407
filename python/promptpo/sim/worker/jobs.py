"""The worker's jobs: taken from the link one after another, cancelled from beside, answered in parts.

Two threads: the one that calls `serve` does the work; a second one reads the link, so that a cancellation
reaches a running job, and sends signs of life while a job runs. The server's end ends the process.
"""

from __future__ import annotations

import os
import queue
import threading
from typing import Final

from promptpo.sim.errors import SimError
from promptpo.sim.jail.policy_process import Cancelled, ConfinementFailed
from promptpo.sim.jail.self_test import run_self_test
from promptpo.sim.jail.warm_parent import WarmParent, WarmParentDied
from promptpo.sim.jail.watch import Watch
from promptpo.sim.link import Kind, Link, Message
from promptpo.sim.logs import log
from promptpo.sim.v1 import sim_pb2
from promptpo.sim.worker.description import describe
from promptpo.sim.worker.episode import Progress
from promptpo.sim.worker.policies import Policies
from promptpo.sim.worker.requests import Answering
from promptpo.sim.worker.shelf import Shelf

_ALIVE_EVERY_S: Final = 1.0


class Jobs:
    """All that a worker does."""

    def __init__(self, link: Link, parent: WarmParent, unconfined: bool) -> None:
        self._link = link
        self._parent = parent
        self._unconfined = unconfined
        self._watch = Watch()
        self._shelf = Shelf()
        self._progress = Progress()
        self._waiting: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._state = threading.Lock()
        self._running: int | None = None
        self._cancelled: set[int] = set()
        self._ended = 0

    def serve(self) -> None:
        """Works until the process ends. Raises WarmParentDied: without a parent a worker is of no use."""
        threading.Thread(target=self._listen, name="link", daemon=True).start()
        while True:
            message = self._waiting.get()
            with self._state:
                if message.job in self._cancelled:
                    self._cancelled.discard(message.job)
                    self._link.send(Message(Kind.END, message.job))
                    continue
                self._watch.resume()
                self._running = message.job
            try:
                answer = self._done(message)
            finally:
                with self._state:
                    self._running = None
                    self._ended = message.job
                    self._cancelled.discard(message.job)
            self._link.send(answer)

    def _done(self, message: Message) -> Message:
        """Does one job; its last message."""
        try:
            self._do(message)
        except Cancelled:
            return Message(Kind.END, message.job)
        except SimError as error:
            return Message(Kind.ERROR, message.job, error.encode())
        except ConfinementFailed as error:
            return Message(Kind.ERROR, message.job, SimError("CANNOT_CONFINE", str(error)).encode())
        except WarmParentDied as error:
            lost = SimError("SIDECAR_DIED", f"{error}; the sidecar starts a new one")
            self._link.send(Message(Kind.ERROR, message.job, lost.encode()))
            raise
        except Exception as error:
            log("error", "a job failed", error=error, job=message.job)
            fault = SimError("INTERNAL", f"a fault in the simulator worker: {type(error).__name__}: {error}")
            return Message(Kind.ERROR, message.job, fault.encode())
        return Message(Kind.END, message.job)

    def _do(self, message: Message) -> None:
        def part(payload: bytes) -> None:
            self._link.send(Message(Kind.PART, message.job, payload))

        if message.kind is Kind.DESCRIBE:
            found = describe(lambda: run_self_test(self._parent, self._watch, self._unconfined))
            part(found.SerializeToString())
            return
        policies = Policies(self._parent, self._watch)
        try:
            self._answer(Answering(self._shelf, policies, self._progress, part), message)
        finally:
            count = policies.started_count.to_bytes(8, "little")
            self._link.send(Message(Kind.COUNT, message.job, count))

    def _answer(self, answering: Answering, message: Message) -> None:
        if message.kind is Kind.EPISODES:
            answering.episodes(sim_pb2.RunBlockRequest.FromString(message.payload))
        elif message.kind is Kind.SUMMARIZE:
            answering.summarize(sim_pb2.SummarizeRequest.FromString(message.payload))
        elif message.kind is Kind.RENDER:
            answering.render(sim_pb2.RenderRequest.FromString(message.payload))
        elif message.kind is Kind.ENVIRONMENT:
            answering.environment(sim_pb2.DescribeEnvironmentRequest.FromString(message.payload))
        else:
            raise ValueError(f"{message.kind.name} is no job")

    def _listen(self) -> None:
        while True:
            try:
                message = self._link.receive(_ALIVE_EVERY_S)
            except TimeoutError:
                self._say_alive()
                continue
            if message is None:
                os._exit(0)  # the server is gone; what runs is of no use to anybody
            if message.kind is not Kind.CANCEL:
                self._waiting.put(message)
                continue
            with self._state:
                if self._running == message.job:
                    self._watch.cancel()
                elif message.job > self._ended:
                    self._cancelled.add(message.job)

    def _say_alive(self) -> None:
        with self._state:
            running = self._running
        if running is not None:
            beat = sim_pb2.Heartbeat(seed=self._progress.seed, step=self._progress.step)
            self._link.send(Message(Kind.ALIVE, running, beat.SerializeToString()))
