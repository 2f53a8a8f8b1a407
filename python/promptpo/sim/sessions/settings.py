"""What is asked for when a session is opened or renewed: the checks of its numbers, and its defaults.

Needs no simulator: a request that is wrong by itself is refused before a process is started.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from google.protobuf.duration_pb2 import Duration

from promptpo.rollout.v1 import rollout_pb2
from promptpo.sim.errors import SimError, invalid
from promptpo.sim.v1 import sim_pb2

MAX_ENVIRONMENTS: Final = 4096
DEFAULT_LEASE_S: Final = 60.0
MAX_LEASE_S: Final = 366 * 86400.0
"""Far above what the rollout service allows: its setting is the limit that counts."""

MODES: Final[Mapping[int, str]] = {
    rollout_pb2.AUTORESET_MODE_UNSPECIFIED: "NEXT_STEP",
    rollout_pb2.AUTORESET_MODE_NEXT_STEP: "NEXT_STEP",
    rollout_pb2.AUTORESET_MODE_SAME_STEP: "SAME_STEP",
    rollout_pb2.AUTORESET_MODE_DISABLED: "DISABLED",
}


def check_request(request: sim_pb2.OpenSessionRequest) -> None:
    """Raises SimError for what is wrong whatever the environment."""
    for field in ("session_id", "token", "environment"):
        if not getattr(request, field):
            raise invalid(field, "is empty")
    count = request.environment_count
    if not 1 <= count <= MAX_ENVIRONMENTS:
        raise invalid("environment_count", f"lies between 1 and {MAX_ENVIRONMENTS}, got {count}")
    if request.seeds and len(request.seeds) != count:
        problem = f"expected none or one for each of {count} environments, got {len(request.seeds)}"
        raise SimError("INVALID_SEEDS", f"seeds: {problem}", {"field": "seeds"})
    if request.seeds and min(request.seeds) < 0:
        problem = f"seeds: a seed is 0 or more, got {min(request.seeds)}"
        raise SimError("INVALID_SEEDS", problem, {"field": "seeds"})
    if request.autoreset_mode not in MODES:
        raise invalid("autoreset_mode", f"{request.autoreset_mode} is no mode known here")
    lease_s(request)


def lease_s(request: sim_pb2.OpenSessionRequest | sim_pb2.RenewSessionRequest) -> float:
    """The lease asked for; the default (for a renewal: 0) where none is. Raises SimError."""
    if not request.HasField("lease"):
        return DEFAULT_LEASE_S if isinstance(request, sim_pb2.OpenSessionRequest) else 0.0
    found = request.lease.seconds + request.lease.nanos / 1e9
    if not 0 < found <= MAX_LEASE_S:
        raise invalid("lease", f"lies above 0 and within {MAX_LEASE_S:.0f} s, got {found} s")
    return found


def duration(seconds: float) -> Duration:
    """Whole nanoseconds."""
    whole = Duration()
    whole.FromNanoseconds(round(seconds * 1e9))
    return whole
