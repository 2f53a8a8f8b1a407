"""Machines that cannot confine, simulated: no policy is run on them, and they say why."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from promptpo.sim.jail.landlock import ABI_MAX
from promptpo.sim.jail.syscalls import NUMBERS, PR_SET_NO_NEW_PRIVS
from promptpo.sim.server.testing import Sidecar
from promptpo.sim.v1 import sim_pb2

HONEST = "class NoiseWorldPolicy:\n    def act(self, obs):\n        return 3\n"

# Puts a filter on itself that refuses one system call (for one first argument) as an old kernel does.
REFUSING = """
    import ctypes, struct, sys
    from promptpo.sim.jail.seccomp import _Program
    from promptpo.sim.jail.syscalls import PR_SET_NO_NEW_PRIVS, prctl, syscall
    number, first, error = (int(argument) for argument in sys.argv[1:4])
    lines = [(0x20, 0, 0, 0), (0x15, 0, 3, number), (0x20, 0, 0, 16), (0x15, 0, 1, first)]
    if first < 0:
        lines = [(0x20, 0, 0, 0), (0x15, 0, 1, number)]
    lines += [(0x06, 0, 0, 0x50000 | error), (0x06, 0, 0, 0x7FFF0000)]
    code = b"".join(struct.pack("<HBBI", *line) for line in lines)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    syscall("seccomp", ctypes.c_uint(1), ctypes.c_uint(0), ctypes.byref(_Program(len(code) // 8, code)))
"""

THEN_TEST_ITSELF = """
    import dataclasses, json
    from promptpo.sim.jail.self_test import run_self_test
    from promptpo.sim.jail.warm_parent import WarmParent
    from promptpo.sim.jail.watch import Watch
    parent, watch = WarmParent(unconfined=False), Watch()
    print(json.dumps(dataclasses.asdict(run_self_test(parent, watch, unconfined=False))))
    watch.close()
    parent.close()
"""

THEN_RUN = """
    import os
    os.execv(sys.argv[4], sys.argv[4:])
"""

ENOSYS, EPERM, EINVAL = 38, 1, 22


@pytest.mark.parametrize(
    ("call", "first", "error", "problem"),
    [
        ("landlock_create_ruleset", -1, ENOSYS, "this kernel has no Landlock"),
        ("landlock_restrict_self", -1, EPERM, "landlock_restrict_self failed: EPERM"),
        ("prctl", PR_SET_NO_NEW_PRIVS, EINVAL, "prctl(38) failed: EINVAL"),
        ("capset", -1, EPERM, "capset failed: EPERM"),
        ("prlimit64", -1, EPERM, "could not be confined"),
    ],
)
def test_a_step_that_the_kernel_refuses(call: str, first: int, error: int, problem: str) -> None:
    script = textwrap.dedent(REFUSING) + textwrap.dedent(THEN_TEST_ITSELF)
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, (NUMBERS[call], first, error))],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[4],
    )
    found = json.loads(done.stdout)
    assert not found["confined"]
    assert problem in found["problem"]


def refuses_policies(sidecar: Sidecar, problem: str) -> None:
    found = sidecar.stub.Handshake(sim_pb2.HandshakeRequest()).confinement
    assert not found.confined
    assert problem in found.problem
    health = health_pb2_grpc.HealthStub(sidecar.channel)
    for service in ("", "promptpo.sim.v1.Simulator"):
        status = health.Check(health_pb2.HealthCheckRequest(service=service)).status
        assert status == health_pb2.HealthCheckResponse.NOT_SERVING
    reason, _ = sidecar.failure(lambda: sidecar.episodes("NoiseWorld-0", HONEST, [0]))
    assert reason == "CANNOT_CONFINE"


def test_a_sidecar_without_seccomp_serves_no_policy() -> None:
    wrapper = (sys.executable, "-c", textwrap.dedent(REFUSING) + textwrap.dedent(THEN_RUN))
    with Sidecar(wrapper=(*wrapper, str(NUMBERS["seccomp"]), "-1", str(ENOSYS))) as sidecar:
        refuses_policies(sidecar, "seccomp failed: ENOSYS")


def test_only_the_exact_setting_runs_policies_without_confinement() -> None:
    without_landlock = {ABI_MAX: "0"}
    with Sidecar({**without_landlock, "PROMPTPO_UNCONFINED": "yes"}) as sidecar:
        refuses_policies(sidecar, "this kernel has no Landlock")
    with Sidecar({**without_landlock, "PROMPTPO_UNCONFINED": "1"}) as sidecar:
        (episode,) = sidecar.episodes("NoiseWorld-0", HONEST, [0])
        assert not episode.HasField("error")
        assert not sidecar.stub.Handshake(sim_pb2.HandshakeRequest()).confinement.confined
