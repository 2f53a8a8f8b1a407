"""Both ways to a shard do the same: the framed unix socket and the gRPC stream."""

from __future__ import annotations

from typing import Any

import grpc
import numpy as np

from promptpo.sim.server.testing import Sidecar
from promptpo.sim.sessions.test_compliance import StreamCompliance
from promptpo.sim.sessions.testing import (
    Connect,
    GrpcStream,
    ShardClient,
    UnixStream,
    open_request,
    session,
)
from promptpo.sim.v1 import sim_pb2


class TestUnixSocket(StreamCompliance):
    def connect(self, sidecar: Sidecar, opened: sim_pb2.ShardOpened) -> Connect:
        return lambda: UnixStream(opened.unix_socket)


class TestGrpc(StreamCompliance):
    def connect(self, sidecar: Sidecar, opened: sim_pb2.ShardOpened) -> Connect:
        return lambda: GrpcStream(sidecar.channel)


def test_the_sessions_listener_carries_the_same_streams_and_nothing_else() -> None:
    with Sidecar(arguments=("--listen-sessions", "127.0.0.1:0")) as sidecar:
        with (
            session(sidecar, open_request("through the door", "NoiseWorld-1", 2)),
            grpc.insecure_channel(sidecar.ready["sessions_address"]) as door,
        ):
            client = ShardClient("through the door", lambda: GrpcStream(door))
            assert client.open().environment_count == 2
            client.reset(seeds=[3, 4])
            through_the_door = client.act(np.array([1, 3])).raw
            assert door_methods(door) == {"Step", "RenewSession", "CloseSession"}
        with session(sidecar, open_request("beside it", "NoiseWorld-1", 2)):
            client = ShardClient("beside it", lambda: GrpcStream(sidecar.channel))
            client.open()
            client.reset(seeds=[3, 4])
            assert client.act(np.array([1, 3])).raw == through_the_door


def door_methods(channel: grpc.Channel) -> set[str]:
    """The methods of the contract that are not UNIMPLEMENTED."""
    offered = set()
    for method in sim_pb2.DESCRIPTOR.services_by_name["Simulator"].methods:
        call: Any = channel.stream_stream(f"/promptpo.sim.v1.Simulator/{method.name}")
        try:
            list(call(iter([b""]), timeout=10))
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                continue
        offered.add(method.name)
    return offered
