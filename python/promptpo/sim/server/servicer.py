"""The methods of `promptpo.sim.v1.Simulator`: each turns its request into jobs on the lane and passes parts
on.

Decides nothing about episodes. One job an episode, so that two streams take turns on the one worker; a policy
that lives for a whole evaluation is one job. A client that goes away cancels its job.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import grpc

from promptpo.sim.errors import SimError
from promptpo.sim.link import Kind
from promptpo.sim.protocol import PROTOCOL_VERSION
from promptpo.sim.server.lane import Call
from promptpo.sim.server.requests import Requests
from promptpo.sim.server.status import abort
from promptpo.sim.v1 import sim_pb2, sim_pb2_grpc
from promptpo.types.v1 import types_pb2

_HEARTBEAT_S: Final = 2.0
"""A call that waits for its turn says so this often; a running one beats about once a second."""


class SimulatorServicer(sim_pb2_grpc.SimulatorServicer):
    """Serves once it was told what the worker says of itself."""

    def __init__(self, description: sim_pb2.HandshakeResponse, requests: Requests) -> None:
        self._description = description
        self._requests = requests

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

    def RunBlock(  # noqa: N802
        self, request: sim_pb2.RunBlockRequest, context: grpc.ServicerContext
    ) -> Iterator[sim_pb2.RunBlockResponse]:
        """Episodes in the order of the seeds, a trajectory before its episode, heartbeats between."""
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

    def Step(  # noqa: N802
        self, request_iterator: Iterator[sim_pb2.StepRequest], context: grpc.ServicerContext
    ) -> Iterator[sim_pb2.StepResponse]:
        """Sessions are not offered by this version."""
        del request_iterator
        abort(context, SimError("UNIMPLEMENTED", "this sidecar does not offer Step"))

    def Drain(  # noqa: N802
        self, request: sim_pb2.DrainRequest, context: grpc.ServicerContext
    ) -> sim_pb2.DrainResponse:
        """Answers when nothing runs any more, soon after the grace at the latest."""
        del context
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
    """The jobs of a block: one an episode, or one for all where the episodes share a policy object."""
    shared = request.policy_lifetime == types_pb2.POLICY_LIFETIME_EVALUATION
    # A request with bad seeds goes to the worker whole, which says what is wrong with it.
    if shared or len(request.seeds) < 2 or len(set(request.seeds)) != len(request.seeds):
        yield request
        return
    seeds = list(request.seeds)
    for seed in seeds:
        del request.seeds[:]
        request.seeds.append(seed)
        yield request
