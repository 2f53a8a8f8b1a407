"""One shard's requests and answers, each once and in order, whatever breaks between.

Requests are numbered and kept until they are answered. A connection that breaks is made again, first to the
same place, then to where the service has placed the shard anew; the shard then repeats the answers that
were lost, and gets again the requests that never arrived.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from typing import Final

from promptpo.client.eager import cores
from promptpo.client.env_session import EnvSession
from promptpo.client.errors import FleetError
from promptpo.client.grpc_link import GrpcLink
from promptpo.client.link import Link
from promptpo.client.retrying import pause_before
from promptpo.client.unix_link import UnixLink
from promptpo.sim.v1 import sim_pb2

MOST_OUTSTANDING: Final = 16
"""As many answers as a shard keeps: with more under way, a broken connection could lose one."""

_NOT_MENDED: Final = frozenset({"CONFLICT", "QUOTA_EXHAUSTED"})
"""Retryable by the table, but not by connecting again: another client has taken the shard over."""


class ShardStream:
    """The stream of the session's shard number `index`."""

    def __init__(self, session: EnvSession, index: int) -> None:
        self._session: Final = session
        self._index: Final = index
        self._link: Link | None = None
        self._next = 0
        self._answered = -1
        self._outstanding: Final[deque[tuple[int, bytes]]] = deque()
        self._failure_count = 0
        self._paused_s = 0.0
        place = session.shards[index]
        self.first_index: Final = place.first_index
        self.environment_count: Final = place.environment_count
        self.opened = sim_pb2.ShardOpened()
        """What every later answer looks like."""
        self._mend(None)

    @property
    def link(self) -> Link:
        """The connection that answers come from; another one after `take` had to mend it."""
        if self._link is None:
            self._mend(None)
        assert self._link is not None
        return self._link

    @property
    def outstanding_count(self) -> int:
        """Requests that have no answer yet."""
        return len(self._outstanding)

    def act(self, data: bytes, indices: Sequence[int] = ()) -> None:
        """Sends packed actions for environments of the shard; no indices are all of them."""
        if self._link is None:
            self._mend(None)  # which may set the next number
        actions = sim_pb2.Actions(step=self._next, indices=indices, data=data)
        self._post(sim_pb2.StepRequest(actions=actions))

    def reset(self, indices: Sequence[int] = (), seeds: Sequence[int] = ()) -> None:
        """Sends a reset of environments of the shard."""
        if self._link is None:
            self._mend(None)
        reset = sim_pb2.Reset(step=self._next, indices=indices, seeds=seeds)
        self._post(sim_pb2.StepRequest(reset=reset))

    def take(self) -> sim_pb2.Transition:
        """Waits for the answer to the oldest outstanding request."""
        while True:
            try:
                response = self._hear()
            except FleetError as error:
                self._mend(error)
                continue
            transition = response.transition
            if not response.HasField("transition") or transition.step != self._outstanding[0][0]:
                kind = response.WhichOneof("kind")
                expected = self._outstanding[0][0]
                self._drop()
                raise FleetError(
                    "MALFORMED_MESSAGE",
                    f"shard {self._index} answered {kind} {transition.step}, expected transition {expected}",
                )
            self._answered = transition.step
            self._outstanding.popleft()
            return transition

    def render(self, indices: Sequence[int] = ()) -> Sequence[bytes]:
        """PNGs of environments of the shard. Nothing may be outstanding."""
        request = sim_pb2.StepRequest(render=sim_pb2.RenderFrame(indices=indices)).SerializeToString()
        while True:
            try:
                self.link.send(request)
                return self._hear().frames.png
            except FleetError as error:
                self._mend(error)

    def close(self) -> None:
        """Ends the connection; the shard lives on."""
        self._drop()

    def _post(self, request: sim_pb2.StepRequest) -> None:
        raw = request.SerializeToString()
        self._outstanding.append((self._next, raw))
        self._next += 1
        try:
            self.link.send(raw)
        except FleetError as error:
            self._mend(error)

    def _drop(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None

    def _mend(self, error: FleetError | None) -> None:
        """Connects again after an error; raises one against which that does not help."""
        while True:
            self._drop()
            if error is not None:
                self._bear(error)
            try:
                if self._failure_count > 1:
                    # It is not where it was: the service finds out, and places it anew.
                    self._session.renew()
                self._connect()
                return
            except FleetError as failure:
                error = failure

    def _bear(self, error: FleetError) -> None:
        """Waits before the next attempt, the longer the more have failed since the last answer."""
        self._failure_count += 1
        pause = pause_before(self._failure_count - 2, error) if self._failure_count > 2 else 0.0
        self._paused_s += pause
        if not self._is_mendable(error) or self._paused_s > self._session.patience_s:
            # A request that was refused was not carried out, nor what was sent behind it.
            self._outstanding.clear()
            self._failure_count, self._paused_s = 0, 0.0
            raise error
        time.sleep(pause)

    def _is_mendable(self, error: FleetError) -> bool:
        if error.reason == "UNKNOWN_SESSION":
            # A sidecar that was started again knows nothing of its shard; the service does.
            return not self._session.is_gone
        return error.retryable and error.reason not in _NOT_MENDED

    def _hear(self) -> sim_pb2.StepResponse:
        """The next answer of a connection; hearing one is what ends a row of failures."""
        response = self.link.receive()
        self._failure_count, self._paused_s = 0, 0.0
        return response

    def _connect(self) -> None:
        link = self._open()
        self._link = link
        opened = self.opened
        if not self._outstanding:
            # Nothing is awaited: the shard's own count holds (a refused request does not count).
            self._next = opened.next_step
            self._answered = self._next - 1
        for step, raw in self._outstanding:
            if step >= opened.next_step:
                link.send(raw)

    def _open(self) -> Link:
        """A link whose shard is open, by the first way that works."""
        place = self._session.shards[self._index]
        transport = self._session.transport
        if transport != "grpc" and place.unix_socket:
            try:
                # Each shard keeps a core of this machine busy; where that leaves none, this side sleeps.
                spare = cores() - len(self._session.shards)
                return self._greet(UnixLink(place.unix_socket, eager=spare > 0))
            except FleetError:
                if transport == "unix":
                    raise
        if transport == "unix":
            raise FleetError(
                "PRECONDITION_FAILED",
                f"the sidecar at {place.target} offers no unix socket; use transport='auto' or 'grpc'",
            )
        return self._greet(GrpcLink(place.target))

    def _greet(self, link: Link) -> Link:
        session = self._session
        opening = sim_pb2.OpenShard(session_id=session.id, token=session.token, last_step=self._answered)
        try:
            link.send(sim_pb2.StepRequest(open=opening).SerializeToString())
            response = link.receive()
            if not response.HasField("opened"):
                raise FleetError(
                    "MALFORMED_MESSAGE",
                    f"shard {self._index} greeted with {response.WhichOneof('kind')}, expected opened",
                )
        except FleetError:
            link.close()
            raise
        self.opened = response.opened
        return link
