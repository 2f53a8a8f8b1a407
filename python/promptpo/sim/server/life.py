"""The life of a sidecar: listen, learn what the worker is, serve, drain, end.

Prints one line of JSON on standard output when it serves, and nothing else: everything that libraries print
goes to standard error. Ends when standard input ends (if that is a pipe or a socket), on SIGTERM and SIGINT.
"""

from __future__ import annotations

import json
import os
import signal
import stat
import sys
import threading
from concurrent import futures
from dataclasses import dataclass
from typing import Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from promptpo.sim.errors import SimError
from promptpo.sim.link import Kind
from promptpo.sim.logs import Level, log
from promptpo.sim.server.lane import Lane
from promptpo.sim.server.requests import Requests
from promptpo.sim.server.servicer import SimulatorServicer
from promptpo.sim.sessions.registry import Sessions
from promptpo.sim.sessions.relay import Relay, serve_sessions_only, serve_with_relay
from promptpo.sim.v1 import sim_pb2

SERVICE: Final = "promptpo.sim.v1.Simulator"
MAX_MESSAGE_BYTES: Final = 64 << 20
"""The same as the services' clients take: a recorded Humanoid episode has 8 MB."""

_MAX_THREADS: Final = 64
"""One a request; they only wait. More requests than this wait for each other. Streams of sessions have
threads of their own."""


@dataclass(frozen=True)
class Config:
    """How a sidecar is started."""

    listen: str
    """host:port; port 0 is a free one."""
    listen_sessions: str | None
    """host:port of a second listener that offers only what clients of sessions need. None: there is none."""
    unconfined: bool
    """The operator allowed policies without confinement."""
    drain_s: float
    """Grace of what runs when the sidecar is told to end."""


def serve(config: Config, ready_fd: int, lane: Lane) -> int:
    """Serves until told to end; the exit code. The lane's worker is being started already."""
    try:
        server, address = _listening(config.listen)
        door, door_address = (
            (None, "") if config.listen_sessions is None else _listening(config.listen_sessions)
        )
    except RuntimeError as error:
        log("error", "an address cannot be listened on", error=error)
        return 1
    try:
        description = _description(lane)
    except SimError as error:
        log("error", "the simulator worker does not work", reason=error.reason, problem=error.message)
        return 1
    description.pid = os.getpid()
    healthy = health.HealthServicer()
    requests = Requests(lane, _refusal(description, config), healthy.enter_graceful_shutdown)
    sessions = Sessions()
    servicer = SimulatorServicer(description, lane, requests, sessions)
    relay = Relay(sessions)
    serve_with_relay(servicer, server, relay)
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    serving = health_pb2.HealthCheckResponse
    for name in ("", SERVICE):
        healthy.set(name, serving.SERVING if requests.refusal is None else serving.NOT_SERVING)
    server.start()
    line = {"ready": True, "address": address, "pid": os.getpid()}
    if door is not None:
        serve_sessions_only(servicer, door, relay)
        door.start()
        line["sessions_address"] = door_address
    os.write(ready_fd, (json.dumps(line, separators=(",", ":")) + "\n").encode())

    why = _wait_for_the_end()
    log("info", "the sidecar ends", why=why)
    sessions.drain()
    # Nobody is left to read results once standard input has ended.
    requests.drain(0.0 if why == "standard input ended" else config.drain_s)
    stopping = [each.stop(1.0) for each in (server, door) if each is not None]
    for stopped in stopping:
        stopped.wait()
    lane.close()
    return 0


def _listening(asked: str) -> tuple[grpc.Server, str]:
    """A server that is not started yet, and its address. Raises RuntimeError."""
    server = grpc.server(
        futures.ThreadPoolExecutor(_MAX_THREADS),
        options=(
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
            ("grpc.so_reuseport", 0),  # two sidecars on one port would share calls silently
        ),
    )
    return server, f"{asked.rpartition(':')[0]}:{server.add_insecure_port(asked)}"


def _description(lane: Lane) -> sim_pb2.HandshakeResponse:
    call = lane.call(Kind.DESCRIBE, b"")
    for message in call.messages(every_s=60.0):
        if message is not None and message.kind is Kind.PART:
            return sim_pb2.HandshakeResponse.FromString(message.payload)
    raise SimError("INTERNAL", "the worker said nothing of itself")


def _refusal(description: sim_pb2.HandshakeResponse, config: Config) -> SimError | None:
    """Why no policy may run here; None where they may."""
    confinement = description.confinement
    if confinement.confined:
        return None
    level: Level = "warn" if config.unconfined else "error"
    log(level, "policies are not confined", problem=confinement.problem)
    if config.unconfined:
        return None
    return SimError("CANNOT_CONFINE", f"policies cannot be confined here: {confinement.problem}")


def _wait_for_the_end() -> str:
    """Until a signal or the end of standard input; says which."""
    ended = threading.Event()
    why: list[str] = []

    def on_signal(number: int, _frame: object) -> None:
        why.append(signal.Signals(number).name)
        ended.set()

    def read_standard_input() -> None:
        while os.read(0, 4096):
            continue
        why.append("standard input ended")
        ended.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    kind = os.fstat(0).st_mode
    # A terminal or /dev/null (a container's) says nothing about who started us.
    if stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind):
        threading.Thread(target=read_standard_input, name="stdin", daemon=True).start()
    while not ended.wait(3600.0):
        continue
    return why[0]


def take_standard_output() -> int:
    """A descriptor of standard output for the ready line alone; what libraries print goes to standard
    error."""
    ready_fd = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return ready_fd
