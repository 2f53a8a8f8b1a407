"""The sessions of a sidecar: which shards live here, and what is said of those that do not any more.

The server's side. Owns their opening, renewal, closing and their end with the sidecar; a shard's process is
its keeper's business.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from promptpo.sim.errors import SimError
from promptpo.sim.sessions.keeper import Keeper
from promptpo.sim.sessions.settings import check_request, duration, lease_s
from promptpo.sim.sessions.socket_folder import SocketFolder
from promptpo.sim.v1 import sim_pb2

_REMEMBERED: Final = 1024
"""Sessions that ended here, so that a late client is told why."""


class Sessions:
    """All shards of a sidecar. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._state = threading.Lock()
        self._keepers: dict[str, Keeper] = {}
        self._ended: OrderedDict[str, str] = OrderedDict()
        self._folder: SocketFolder | None = None
        self._draining = False

    def open(self, request: sim_pb2.OpenSessionRequest) -> Keeper:
        """Begins to make a shard; the same request once more gets the same one. Raises SimError."""
        check_request(request)
        with self._state:
            if self._draining:
                raise SimError("SHUTTING_DOWN", "the sidecar drains and takes no session; ask another one")
            known = self._keepers.get(request.session_id)
            if known is None or known.ended is not None:
                if self._folder is None:
                    self._folder = SocketFolder()
                keeper = Keeper(request, self._folder.listen(), self._forget)
                self._keepers[request.session_id] = keeper
                self._ended.pop(request.session_id, None)
                return keeper
        if not _same(known.request, request):
            raise SimError("ALREADY_EXISTS", f"session {request.session_id!r} lives here with other settings")
        return known

    def renew(self, request: sim_pb2.RenewSessionRequest) -> sim_pb2.RenewSessionResponse:
        """Raises SimError."""
        keeper = self.find(request.session_id)
        left_s = keeper.renew(lease_s(request))
        if left_s is None:
            self.find(request.session_id)  # raises if it ended meanwhile
            raise SimError("SIMULATOR_FAILED", f"session {request.session_id!r} does not answer; close it")
        return sim_pb2.RenewSessionResponse(lease_left=duration(max(0.0, left_s)))

    def close(self, session_id: str, why: SimError) -> None:
        """Frees a session; one that is not here is freed already."""
        with self._state:
            keeper = self._keepers.get(session_id)
        if keeper is not None:
            keeper.close(why)

    def find(self, session_id: str) -> Keeper:
        """The keeper of a session that lives. Raises SimError."""
        with self._state:
            keeper = self._keepers.get(session_id)
            ended = self._ended.get(session_id)
        why_ended = None if keeper is None else keeper.ended
        if keeper is not None and why_ended is None:
            return keeper
        if why_ended is not None:
            ended = why_ended.message
        if ended is not None:
            raise SimError("UNKNOWN_SESSION", f"session {session_id!r} ended: {ended}")
        why = "its lease lapsed, it was closed, or it never was here"
        raise SimError("UNKNOWN_SESSION", f"no session {session_id!r} lives on this sidecar: {why}")

    def reports(self) -> list[sim_pb2.SessionReport]:
        """One a session that is open, by id."""
        with self._state:
            keepers = sorted(self._keepers.items())
        if not keepers:
            return []
        with ThreadPoolExecutor(min(16, len(keepers))) as asking:
            return list(asking.map(lambda item: item[1].report(), keepers))

    def drain(self) -> None:
        """Ends all: their clients are told to go on elsewhere. May be called twice."""
        with self._state:
            self._draining = True
            keepers = tuple(self._keepers.values())
        why = SimError("SHUTTING_DOWN", "the sidecar was stopped; renew the session to go on elsewhere")
        if keepers:
            with ThreadPoolExecutor(min(16, len(keepers))) as closing:
                list(closing.map(lambda keeper: keeper.close(why), keepers))
        with self._state:
            folder, self._folder = self._folder, None
        if folder is not None:
            folder.remove()

    def _forget(self, keeper: Keeper) -> None:
        session_id = keeper.request.session_id
        with self._state:
            if self._keepers.get(session_id) is keeper:
                del self._keepers[session_id]
            why = keeper.ended
            self._ended[session_id] = "" if why is None else why.message
            self._ended.move_to_end(session_id)
            while len(self._ended) > _REMEMBERED:
                self._ended.popitem(last=False)


def _same(one: sim_pb2.OpenSessionRequest, other: sim_pb2.OpenSessionRequest) -> bool:
    """Whether two requests ask for the same shard; why the one before was lost is not part of it."""
    left, right = sim_pb2.OpenSessionRequest(), sim_pb2.OpenSessionRequest()
    left.CopyFrom(one)
    right.CopyFrom(other)
    left.cause = right.cause = ""
    return left == right
