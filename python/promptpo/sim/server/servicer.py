"""The methods of `promptpo.sim.v1.Simulator`: each turns its request into jobs on the lane and passes parts
on.

Decides nothing about episodes. A few episodes a job, so that two streams take turns on the one worker; a
policy that lives for a whole evaluation is one job. A client that goes away cancels its job.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

import grpc

from promptpo.sim.errors import SimError
from promptpo.sim.link import Kind
from promptpo.sim.protocol import PROTOCOL_VERSION
from promptpo.sim.server.lane import Call, Lane
from promptpo.sim.server.requests import Requests
from promptpo.sim.server.status import abort
from promptpo.sim.sessions.registry import Sessions
from promptpo.sim.sessions.usage import resident_bytes
from promptpo.sim.v1 import sim_pb2, sim_pb2_grpc
from promptpo.types.v1 import types_pb2

_HEARTBEAT_S: Final = 2.0
"""A call that waits for its turn says so this often; a running one beats about once a second."""


_TURN_EPISODES: Final = 8
"""Enough to keep the worker's lanes full, few enough that another call's turn comes soon."""


class SimulatorServicer(sim_pb2_grpc.SimulatorServicer):
    """Serves once it was told what the worker says of itself."""

    def __init__(
        self,
        description: sim_pb2.HandshakeResponse,
        lane: Lane,
        requests: Requests,
        sessions: Sessions,
    ) -> None:
        self._description = description
        self._lane = lane
        self._requests = requests
        self._sessions = sessions

    def Handshake(  # noqa: N802 - the contract's own name
        self, request: sim_pb2.HandshakeRequest, context: grpc.ServicerContext
    ) -> sim_pb2.HandshakeResponse:
        """What the worker said at the start; the same for the sidecar's life."""
        # 0: somebody who only looks.
        if request.protocol_version not in (0, PROTOCOL_VERSION):
            asked = request.protocol_version
            message = f"this sidecar speaks version {PROTOCOL_VERSION} of promptpo.sim.v1, not {asked}"
            abort(context, SimError("VERSION_MISMATCH", message))
        return self._description

    def DescribeEnvironment(  # noqa: N802
        self, request: sim_pb2.DescribeEnvironmentRequest, context: grpc.ServicerContext
    ) -> sim_pb2.DescribeEnvironmentResponse:
        """One environment as it is now, also one that the handshake did not list."""
        with self._requests.running(context) as running:
            call = running.start(Kind.ENVIRONMENT, request.SerializeToString())
            for part in _parts(call, 0):
                if isinstance(part, bytes):
                    return sim_pb2.DescribeEnvironmentResponse.FromString(part)
            running.check()
        raise AssertionError("a job that was not stopped has an answer")

    def RunBlock(  # noqa: N802
        self, request: sim_pb2.RunBlockRequest, context: grpc.ServicerContext
    ) -> Iterator[sim_pb2.RunBlockResponse]:
        """Episodes as they end, a trajectory before its episode, heartbeats between."""
        with self._requests.running(context) as running:
            for block in _turns(request):
                call = running.start(Kind.EPISODES, block.SerializeToString())
                for part in _parts(call, block.seeds[0] if block.seeds else 0):
                    if isinstance(part, sim_pb2.Heartbeat):
                        yield sim_pb2.RunBlockResponse(heartbeat=part)
                    else:
                        yield sim_pb2.RunBlockResponse.FromString(part)
                running.check()

    def Summarize(  # noqa: N802
        self, request: sim_pb2.SummarizeRequest, context: grpc.ServicerContext
    ) -> sim_pb2.SummarizeResponse:
        """The summaries of all episodes asked for."""
        with self._requests.running(context) as running:
            call = running.start(Kind.SUMMARIZE, request.SerializeToString())
            for part in _parts(call, 0):
                if isinstance(part, bytes):
                    return sim_pb2.SummarizeResponse.FromString(part)
            running.check()
        raise AssertionError("a job that was not stopped has an answer")

    def Render(  # noqa: N802
        self, request: sim_pb2.RenderRequest, context: grpc.ServicerContext
    ) -> Iterator[sim_pb2.RenderResponse]:
        """Heartbeats, the bytes of the mp4, the summary."""
        with self._requests.running(context) as running:
            call = running.start(Kind.RENDER, request.SerializeToString())
            for part in _parts(call, request.request.seed):
                if isinstance(part, sim_pb2.Heartbeat):
                    yield sim_pb2.RenderResponse(heartbeat=part)
                else:
                    yield sim_pb2.RenderResponse.FromString(part)

    def OpenSession(  # noqa: N802
        self, request: sim_pb2.OpenSessionRequest, context: grpc.ServicerContext
    ) -> sim_pb2.OpenSessionResponse:
        """Answers when the environments are made; a caller that leaves before leaves none behind."""
        try:
            keeper = self._sessions.open(request)
            if not context.add_callback(keeper.abandon):
                keeper.abandon()
            return sim_pb2.OpenSessionResponse(opened=keeper.opened())
        except SimError as error:
            abort(context, error)

    def RenewSession(  # noqa: N802
        self, request: sim_pb2.RenewSessionRequest, context: grpc.ServicerContext
    ) -> sim_pb2.RenewSessionResponse:
        """How long it lives from now on."""
        try:
            return self._sessions.renew(request)
        except SimError as error:
            abort(context, error)

    def CloseSession(  # noqa: N802
        self, request: sim_pb2.CloseSessionRequest, context: grpc.ServicerContext
    ) -> sim_pb2.CloseSessionResponse:
        """Answers when the session's process is gone."""
        del context
        self._sessions.close(request.session_id, SimError("UNKNOWN_SESSION", "the session was closed"))
        return sim_pb2.CloseSessionResponse()

    def Step(  # noqa: N802
        self, request_iterator: Iterator[sim_pb2.StepRequest], context: grpc.ServicerContext
    ) -> Iterator[sim_pb2.StepResponse]:
        """Never called: `sessions.relay` passes the stream on without decoding it."""
        raise NotImplementedError

    def Report(  # noqa: N802
        self, request: sim_pb2.ReportRequest, context: grpc.ServicerContext
    ) -> sim_pb2.ReportResponse:
        """Numbers of the sidecar and of the sessions on it."""
        del request, context
        return sim_pb2.ReportResponse(
            resident_bytes=resident_bytes(os.getpid()),
            policy_process_count=self._lane.policy_process_count,
            worker_restart_count=max(0, self._lane.restart_count),
            sessions=self._sessions.reports(),
        )

    def Drain(  # noqa: N802
        self, request: sim_pb2.DrainRequest, context: grpc.ServicerContext
    ) -> sim_pb2.DrainResponse:
        """Answers when nothing runs any more, soon after the grace at the latest. Sessions end at once."""
        del context
        self._sessions.drain()
        self._requests.drain(request.grace.seconds + request.grace.nanos / 1e9)
        return sim_pb2.DrainResponse()


def _parts(call: Call, seed: int) -> Iterator[bytes | sim_pb2.Heartbeat]:
    """A job's parts as they come, and a heartbeat when none came for a while."""
    beat = sim_pb2.Heartbeat(seed=seed)
    for message in call.messages(_HEARTBEAT_S):
        if message is None:
            yield beat
        elif message.kind is Kind.ALIVE:
            beat = sim_pb2.Heartbeat.FromString(message.payload)
            yield beat
        else:
            yield message.payload


def _turns(request: sim_pb2.RunBlockRequest) -> Iterator[sim_pb2.RunBlockRequest]:
    """The jobs of a block: a few episodes each, or one for all where the episodes share a policy object."""
    shared = request.policy_lifetime == types_pb2.POLICY_LIFETIME_EVALUATION
    # A request with bad seeds goes to the worker whole, which says what is wrong with it.
    if shared or len(set(request.seeds)) != len(request.seeds):
        yield request
        return
    seeds = list(request.seeds)
    for start in range(0, max(len(seeds), 1), _TURN_EPISODES):
        del request.seeds[:]
        request.seeds.extend(seeds[start : start + _TURN_EPISODES])
        yield request
