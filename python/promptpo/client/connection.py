"""Where the fleet is and who asks: channels, deadlines' defaults, token, TLS.

What the arguments leave out comes from the environment, by the names that the TypeScript client reads too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeAlias

import grpc

from promptpo.client.errors import FleetError

Part: TypeAlias = Literal["gateway", "rollout", "optimizer"]

MAX_MESSAGE_BYTES: Final = 64 << 20

_SIZES: Final = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
)
_OPTIONS: Final = (
    *_SIZES,
    ("grpc.service_config", json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})),
    # A machine that vanished without a word is found within a minute.
    ("grpc.keepalive_time_ms", 40_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    # A service that restarts is back in a second or two.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)

SIDECAR_OPTIONS: Final = (
    *_SIZES,
    ("grpc.keepalive_time_ms", 40_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    # A connection of its own for each stream: one that broke says nothing about the next attempt.
    ("grpc.use_local_subchannel_pool", 1),
)
"""Of a stream to one sidecar."""


@dataclass(frozen=True)
class Tls:
    """PEM files. Given at all, connections are encrypted."""

    ca: Path | None = None
    """Authorities that the servers are checked against; None: those that grpc trusts."""
    cert: Path | None = None
    """This side's certificate chain, for servers that ask for one."""
    key: Path | None = None
    """Its private key."""
    server_name: str | None = None
    """The name in the servers' certificates, where it is not the target's host."""


@dataclass
class Connection:
    """The channels of one client, opened when first used."""

    targets: Mapping[Part, str]
    token: str | None
    tls: Tls | None
    _channels: dict[Part, grpc.Channel] = field(default_factory=dict, init=False)

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What every call sends along."""
        return () if self.token is None else (("authorization", f"Bearer {self.token}"),)

    def target(self, part: Part) -> str:
        """`host:port`; raises PRECONDITION_FAILED when nobody gave it."""
        target = self.targets.get(part)
        if target is None:
            raise FleetError(
                "PRECONDITION_FAILED",
                f'the address of the {part} is not known: give {part}="host:port" or set '
                f"PROMPTPO_{part.upper()} (`promptpo up` prints it)",
            )
        return target

    def channel(self, part: Part) -> grpc.Channel:
        """The connection to a part of the fleet. Nothing is contacted before the first call."""
        channel = self._channels.get(part)
        if channel is None:
            channel = self._open(self.target(part))
            self._channels[part] = channel
        return channel

    def close(self) -> None:
        """Ends calls and connections."""
        for channel in self._channels.values():
            channel.close()
        self._channels.clear()

    def _open(self, target: str) -> grpc.Channel:
        if self.tls is None:
            return grpc.insecure_channel(target, options=_OPTIONS)
        tls = self.tls
        if (tls.cert is None) != (tls.key is None):
            raise ValueError("a client certificate needs its key, and a key its certificate")
        credentials = grpc.ssl_channel_credentials(_read(tls.ca), _read(tls.key), _read(tls.cert))
        name = () if tls.server_name is None else (("grpc.ssl_target_name_override", tls.server_name),)
        return grpc.secure_channel(target, credentials, options=(*_OPTIONS, *name))


def connection(
    environment: Mapping[str, str],
    *,
    gateway: str | None,
    rollout: str | None,
    optimizer: str | None,
    token: str | None,
    tls: Tls | None,
) -> Connection:
    """The connection that arguments and environment describe, arguments first."""
    given: Mapping[Part, str | None] = {"gateway": gateway, "rollout": rollout, "optimizer": optimizer}
    targets: dict[Part, str] = {}
    for part, address in given.items():
        target = address or environment.get(f"PROMPTPO_{part.upper()}")
        if target:
            targets[part] = target
    return Connection(
        targets, token or environment.get("PROMPTPO_TOKEN") or None, tls or _tls_of(environment)
    )


def _tls_of(environment: Mapping[str, str]) -> Tls | None:
    def path(name: str) -> Path | None:
        value = environment.get(name)
        return Path(value) if value else None

    ca = path("PROMPTPO_TLS_CA")
    return None if ca is None else Tls(ca, path("PROMPTPO_TLS_CERT"), path("PROMPTPO_TLS_KEY"))


def _read(path: Path | None) -> bytes | None:
    return None if path is None else path.read_bytes()
