"""A session's life as its client sees it: made, kept alive, placed anew where a sidecar died, closed.

Stepping renews a session by itself. A thread renews it through pauses (an update of a network may take
minutes): every third of the lease, until the session is closed or lapses.
"""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypedDict

from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct

from promptpo.client.calls import Calls
from promptpo.client.connection import Connection, Tls, connection
from promptpo.client.errors import FleetError
from promptpo.client.link import Transport
from promptpo.rollout.v1 import rollout_pb2, rollout_pb2_grpc

LEASE_S: Final = 60.0
TIMEOUT_S: Final = 60.0
"""Of one call that makes, renews or closes a session; making one starts processes and simulators."""
PATIENCE_S: Final = 60.0
"""A sidecar that died is back within seconds, a service that is rolled out within a minute."""


class SessionSettings(TypedDict, total=False):
    """Where the environments are and how they are held; what every function that makes environments takes."""

    rollout: str | None
    """`host:port` of the rollout service; by default PROMPTPO_ROLLOUT; `promptpo up` prints it."""
    token: str | None
    """Bearer token; by default PROMPTPO_TOKEN."""
    tls: Tls | None
    """By default of PROMPTPO_TLS_CA, PROMPTPO_TLS_CERT and PROMPTPO_TLS_KEY."""
    variant: str
    """The environment's variant; by default its first."""
    options: Mapping[str, Any] | None
    """Further keyword arguments of the environment."""
    lease_s: float
    """Seconds that the environments live without a step; 60 by default."""
    renew: bool
    """Whether a thread keeps them alive through longer pauses; True by default."""
    transport: Transport
    """`auto` (the default) takes a unix socket on the sidecar's own machine and gRPC elsewhere."""
    patience_s: float
    """Seconds to wait for a fleet that is away, in the midst of stepping too; 60 by default."""


@dataclass(frozen=True)
class SessionSpec:
    """What a session is made of."""

    environment: str
    environment_count: int
    seeds: Sequence[int]
    autoreset_mode: rollout_pb2.AutoresetMode.ValueType


class EnvSession:
    """A session that exists. Threads may share it."""

    def __init__(self, spec: SessionSpec, settings: SessionSettings) -> None:
        self.transport: Final[Transport] = settings.get("transport", "auto")
        if self.transport not in ("auto", "unix", "grpc"):
            raise FleetError(
                "INVALID_ARGUMENT", f"transport is {self.transport!r}, expected 'auto', 'unix' or 'grpc'"
            )
        self.patience_s: Final = settings.get("patience_s", PATIENCE_S)
        self._connection: Final = _connection(settings)
        self._calls: Final = Calls(self._connection, TIMEOUT_S, self.patience_s)
        self._stub: Final = rollout_pb2_grpc.RolloutServiceStub(self._connection.channel("rollout"))
        try:
            self._session = self._calls.short(
                "rollout", self._stub.CreateEnvSession, _request(spec, settings)
            ).session
        except FleetError:
            self._connection.close()
            raise
        self._closed: Final = threading.Event()
        self.is_gone = False
        """The service knows it no more: it has lapsed or was closed."""
        self.lease_s: Final = self._session.lease.ToTimedelta().total_seconds() or LEASE_S
        if settings.get("renew", True):
            threading.Thread(target=self._keep, name="promptpo-lease", daemon=True).start()

    @property
    def id(self) -> str:
        """Its id."""
        return self._session.id

    @property
    def token(self) -> str:
        """What its streams must present."""
        return self._session.token

    @property
    def shards(self) -> Sequence[rollout_pb2.Shard]:
        """Where its environments are, as last heard."""
        return self._session.shards

    def renew(self) -> None:
        """Extends the lease and learns where the environments are now."""
        request = rollout_pb2.RenewEnvSessionRequest(id=self.id)
        try:
            self._session = self._calls.short("rollout", self._stub.RenewEnvSession, request).session
        except FleetError as error:
            self.is_gone = error.reason == "UNKNOWN_SESSION"
            raise

    def close(self) -> None:
        """Frees the environments; may be called twice. One that cannot be reached lapses by itself."""
        if self._closed.is_set():
            return
        self._closed.set()
        request = rollout_pb2.CloseEnvSessionRequest(id=self.id)
        try:
            Calls(self._connection, timeout_s=5.0, patience_s=0.0).short(
                "rollout", self._stub.CloseEnvSession, request
            )
        except FleetError:
            pass
        finally:
            self._connection.close()

    def _keep(self) -> None:
        while not self._closed.wait(self.lease_s / 3):
            try:
                self.renew()
            except FleetError as error:
                # A session that is gone stays gone; the next step says so to whoever steps.
                if not error.retryable:
                    return
            except ValueError:
                return  # the channel was closed meanwhile


def _connection(settings: SessionSettings) -> Connection:
    return connection(
        os.environ,
        gateway=None,
        rollout=settings.get("rollout"),
        optimizer=None,
        token=settings.get("token"),
        tls=settings.get("tls"),
    )


def _request(spec: SessionSpec, settings: SessionSettings) -> rollout_pb2.CreateEnvSessionRequest:
    lease = Duration()
    lease.FromNanoseconds(round(settings.get("lease_s", LEASE_S) * 1e9))
    request = rollout_pb2.CreateEnvSessionRequest(
        environment=spec.environment,
        variant=settings.get("variant", ""),
        environment_count=spec.environment_count,
        seeds=spec.seeds,
        autoreset_mode=spec.autoreset_mode,
        lease=lease,
        request_id=str(uuid.uuid4()),
    )
    options = settings.get("options")
    if options:
        # Only what JSON knows crosses; a tuple becomes a list and an array must be made one by the caller.
        values = Struct()
        try:
            values.update(dict(options))
        except ValueError as error:
            raise FleetError(
                "INVALID_ARGUMENT",
                f"options of {spec.environment}: {error}; expected numbers, strings, lists, dicts",
            ) from error
        request.options.CopyFrom(values)
    return request
