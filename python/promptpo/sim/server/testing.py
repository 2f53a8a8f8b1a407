"""For tests: a real sidecar, started as the rollout service starts one."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

import promptpo
from promptpo.sim.server.life import MAX_MESSAGE_BYTES
from promptpo.sim.v1 import sim_pb2, sim_pb2_grpc
from promptpo.types.v1 import types_pb2

ROOT = Path(promptpo.__file__).resolve().parent.parent


class Sidecar:
    """A sidecar process and a stub for it; `stop` ends it as its owner would, by ending its standard
    input."""

    def __init__(
        self,
        environment: Mapping[str, str] | None = None,
        wrapper: tuple[str, ...] = (),
        arguments: tuple[str, ...] = (),
    ) -> None:
        self.process = subprocess.Popen(
            [*wrapper, sys.executable, "-m", "promptpo.sim", "--listen", "127.0.0.1:0", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
        )
        assert self.process.stdout is not None
        self.ready = json.loads(self.process.stdout.readline())
        self.channel = grpc.insecure_channel(
            self.ready["address"], options=(("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),)
        )
        self.stub = sim_pb2_grpc.SimulatorStub(self.channel)

    def block(self, request: sim_pb2.RunBlockRequest) -> list[sim_pb2.RunBlockResponse]:
        """Everything but what depends on the clock: heartbeats and timings."""
        stream = self.stub.RunBlock(request, timeout=100)
        return [part for part in stream if part.WhichOneof("part") not in ("heartbeat", "timings")]

    def episodes(
        self, environment: str, source: str, seeds: list[int], **more: object
    ) -> list[types_pb2.EpisodeResult]:
        """The results of a block that captures nothing, in the order of the seeds."""
        request = sim_pb2.RunBlockRequest(
            environment=environment,
            policy_source=source,
            seeds=seeds,
            **more,  # type: ignore[arg-type]
        )
        found = {part.episode.seed: part.episode for part in self.block(request)}
        return [found[seed] for seed in seeds]

    def failure(self, call: Callable[[], object]) -> tuple[str, dict[str, str]]:
        """Reason and metadata of a call that must fail."""
        with pytest.raises(grpc.RpcError) as caught:
            call()
        return error_info(caught.value)

    def descendants(self) -> list[int]:
        """The processes that the sidecar started, and theirs, and theirs."""
        parents: dict[int, list[int]] = {}
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                with contextlib.suppress(OSError):
                    after_name = (folder / "stat").read_text().rpartition(")")[2].split()
                    if after_name[0] != "Z":
                        parents.setdefault(int(after_name[1]), []).append(int(folder.name))
        found = [self.process.pid]
        for pid in found:
            found += parents.get(pid, [])
        return found[1:]

    def stop(self) -> tuple[int, bytes]:
        """Exit code, and what stood on standard output behind the ready line."""
        self.channel.close()
        rest, _ = self.process.communicate(timeout=30)
        return self.process.returncode, rest

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends it whatever happened."""
        self.process.kill()
        self.stop()


def error_info(error: grpc.RpcError) -> tuple[str, dict[str, str]]:
    """Reason and metadata of a failed call."""
    status = rpc_status.from_call(error)
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        if detail.Unpack(info):
            assert info.domain == "promptpo"
            return info.reason, dict(info.metadata)
    raise AssertionError(f"no ErrorInfo in {status}")
