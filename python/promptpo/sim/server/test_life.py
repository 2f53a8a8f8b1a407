"""The life of a sidecar's processes: killed, drained, told to end, unable to confine."""

from __future__ import annotations

import os
import select
import signal
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from grpc_health.v1 import health_pb2, health_pb2_grpc

from promptpo.rollout.v1 import rollout_pb2
from promptpo.sim.server.test_server import RIGHT, SERVICE, SPIN, block
from promptpo.sim.server.testing import Sidecar, error_info
from promptpo.sim.v1 import sim_pb2

LONG = rollout_pb2.PolicyLimits(action_cpu=Duration(seconds=600), episode_cpu=Duration(seconds=600))


@contextmanager
def all_end(pids: list[int]) -> Iterator[None]:
    """What happens within must end all of these processes."""
    pidfds = [os.pidfd_open(pid) for pid in pids]
    yield
    for pidfd in pidfds:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        assert poll.poll(20_000), "a process outlived its sidecar"
        os.close(pidfd)


def test_a_killed_sidecar_leaves_no_process_behind() -> None:
    with Sidecar() as sidecar:
        stream = sidecar.stub.RunBlock(block(SPIN, [0], limits=LONG))
        assert next(stream).HasField("heartbeat")
        started = sidecar.descendants()
        assert len(started) == 3  # worker, warm parent, policy
        with all_end(started):
            sidecar.process.send_signal(signal.SIGKILL)


def test_drain_lets_what_runs_end_and_takes_nothing_new() -> None:
    with Sidecar() as sidecar:
        stream = sidecar.stub.RunBlock(block(SPIN, [0], limits=LONG))
        assert next(stream).HasField("heartbeat")
        sidecar.stub.Drain(sim_pb2.DrainRequest(grace=Duration(nanos=100_000_000)))
        with pytest.raises(grpc.RpcError) as caught:
            list(stream)
        assert error_info(caught.value)[0] == "SHUTTING_DOWN"
        assert sidecar.failure(lambda: sidecar.block(block(RIGHT, [0])))[0] == "SHUTTING_DOWN"
        health = health_pb2_grpc.HealthStub(sidecar.channel)
        status = health.Check(health_pb2.HealthCheckRequest(service=SERVICE)).status
        assert status == health_pb2.HealthCheckResponse.NOT_SERVING
        with all_end(sidecar.descendants()):
            sidecar.process.send_signal(signal.SIGTERM)
            assert sidecar.stop() == (0, b"")


def test_unconfined_policies_run_only_where_the_operator_said_so() -> None:
    with Sidecar({"PROMPTPO_UNCONFINED": "1"}) as sidecar:
        found = sidecar.stub.Handshake(sim_pb2.HandshakeRequest()).confinement
        assert (found.confined, found.landlock_abi, found.seccomp) == (False, 0, False)
        assert found.problem == "confinement is switched off by PROMPTPO_UNCONFINED=1"
        reading = RIGHT.replace("return 3", "return 3 if open('/proc/self/stat').read() else 0")
        (episode,) = sidecar.episodes("NoiseWorld-0", reading, [0])
        assert not episode.HasField("error")
        # A caller that leaves leaves nothing behind that a drain would wait for.
        stream = sidecar.stub.RunBlock(block(SPIN, [0, 1], limits=LONG))
        assert next(stream).HasField("heartbeat")
        stream.cancel()
        sidecar.stub.Drain(sim_pb2.DrainRequest(grace=Duration(seconds=600)), timeout=60)
        assert sidecar.stop() == (0, b"")


WITHOUT_LANDLOCK = textwrap.dedent(
    """
    # Runs a command under a filter that refuses Landlock's system calls as a kernel without it does.
    import ctypes, os, struct, sys
    from promptpo.sim.jail.seccomp import _Program
    from promptpo.sim.jail.syscalls import PR_SET_NO_NEW_PRIVS, prctl, syscall
    code = b"".join(
        struct.pack("<HBBI", *line)
        for line in ((0x20, 0, 0, 0), (0x15, 0, 1, 444), (0x06, 0, 0, 0x50000 | 38), (0x06, 0, 0, 0x7FFF0000))
    )
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    syscall("seccomp", ctypes.c_uint(1), ctypes.c_uint(0), ctypes.byref(_Program(len(code) // 8, code)))
    os.execv(sys.argv[1], sys.argv[1:])
    """
)


def test_a_sidecar_that_cannot_confine_runs_no_policy_and_says_why() -> None:
    with Sidecar(wrapper=(sys.executable, "-c", WITHOUT_LANDLOCK)) as sidecar:
        found = sidecar.stub.Handshake(sim_pb2.HandshakeRequest()).confinement
        assert not found.confined
        assert "this kernel has no Landlock" in found.problem
        status = (
            health_pb2_grpc.HealthStub(sidecar.channel)
            .Check(health_pb2.HealthCheckRequest(service=""))
            .status
        )
        assert status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert sidecar.failure(lambda: sidecar.block(block(RIGHT, [0])))[0] == "CANNOT_CONFINE"
        assert sidecar.stop() == (0, b"")
