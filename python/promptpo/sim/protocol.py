"""The version of the contract `promptpo.sim.v1` that this sidecar speaks."""

from __future__ import annotations

from typing import Final

PROTOCOL_VERSION: Final = 1
"""Changes when a peer of the other version could misread a message."""
