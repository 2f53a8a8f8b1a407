"""What a policy may spend. The numbers are part of the contract: an episode that meets them is the same
everywhere.

CPU limits decide in practice; wall limits only end what waits without computing, so they are generous: a
policy must not fail because the machine is busy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

TICK_S: Final = 0.05
"""How often a waiting worker looks at the clocks. A limit is met at most this much late."""

MAX_SOURCE_BYTES: Final = 1 << 20
"""A policy written by a model has some 10 kB; beyond this the compiler itself becomes the attack."""


@dataclass(frozen=True)
class Limits:
    """Limits of one policy process."""

    start_cpu_s: float = 10.0
    """Compiling the source and constructing the object (tables may be computed there)."""
    action_cpu_s: float = 2.0
    """One call of `act`."""
    episode_cpu_s: float = 120.0
    """All calls of one episode, the start included."""
    action_wall_s: float = 30.0
    """Backstop of one call (and of the start)."""
    episode_wall_s: float = 900.0
    """Backstop of one episode: simulator and policy together."""
    memory_bytes: int = 1 << 30
    """Address space beyond what the warm parent holds already."""
    text_bytes: int = 4096
    """One summary of a feedback program, UTF-8; a longer one is a failure, since a part would be read as
    the whole."""
