"""The client of the whole fleet: one object, synchronous methods, protobuf messages of `promptpo.*.v1`."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from promptpo.client.calls import Calls
from promptpo.client.connection import Tls, connection
from promptpo.client.errors import FleetError
from promptpo.client.retrying import retrying
from promptpo.client.watch import WatchedEvent, watch_run
from promptpo.llm.v1 import llm_pb2, llm_pb2_grpc
from promptpo.optimizer.v1 import optimizer_pb2, optimizer_pb2_grpc
from promptpo.rollout.v1 import rollout_pb2, rollout_pb2_grpc
from promptpo.types.v1 import types_pb2

TIMEOUT_S: Final = 30.0
PATIENCE_S: Final = 10.0
WATCH_PATIENCE_S: Final = 300.0


@dataclass(frozen=True)
class Evaluation:
    """Episodes of one policy."""

    episodes: tuple[types_pb2.EpisodeResult, ...]
    """In the order of the seeds. One whose `error` is set failed by the policy's fault."""
    summary: rollout_pb2.EvaluationSummary


class Client:
    """A connection to a fleet. Use it in a `with`, or `close` it.

    Addresses are `host:port`. Those not given come from PROMPTPO_GATEWAY, PROMPTPO_ROLLOUT and
    PROMPTPO_OPTIMIZER, the token from PROMPTPO_TOKEN, TLS from PROMPTPO_TLS_CA, PROMPTPO_TLS_CERT and
    PROMPTPO_TLS_KEY. Nothing is contacted before the first call.

    Every method raises `FleetError`. Calls are tried again while the fleet is away, for `patience_s` seconds
    of pauses: all of them read, or carry an id by which the fleet knows a repeated attempt. `timeout_s`
    bounds short calls, attempts together; model calls and evaluations take the time they need unless a
    timeout is given. The object may be shared between threads.
    """

    def __init__(
        self,
        *,
        gateway: str | None = None,
        rollout: str | None = None,
        optimizer: str | None = None,
        token: str | None = None,
        tls: Tls | None = None,
        timeout_s: float = TIMEOUT_S,
        patience_s: float = PATIENCE_S,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._connection: Final = connection(
            environment, gateway=gateway, rollout=rollout, optimizer=optimizer, token=token, tls=tls
        )
        self._calls: Final = Calls(self._connection, timeout_s, patience_s)

    def close(self) -> None:
        """Ends calls and connections."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # The services whole, for methods that have no short form here: no retries, grpc's own errors, and
    # `metadata=client.metadata` is the caller's to pass.

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What calls on the stubs below must send along."""
        return self._connection.metadata

    @property
    def gateway(self) -> llm_pb2_grpc.LlmGatewayStub:
        """The llm-gateway's stub."""
        return llm_pb2_grpc.LlmGatewayStub(self._connection.channel("gateway"))

    @property
    def rollout(self) -> rollout_pb2_grpc.RolloutServiceStub:
        """The rollout service's stub."""
        return rollout_pb2_grpc.RolloutServiceStub(self._connection.channel("rollout"))

    @property
    def optimizer(self) -> optimizer_pb2_grpc.OptimizerStub:
        """The optimizer's stub."""
        return optimizer_pb2_grpc.OptimizerStub(self._connection.channel("optimizer"))

    # Model calls.

    def complete(
        self, request: llm_pb2.CompleteRequest, *, timeout_s: float | None = None
    ) -> llm_pb2.Completion:
        """One answer of a model.

        A request without `request_id` gets one, so that a repeated attempt is not paid twice.
        """
        message = llm_pb2.CompleteRequest()
        message.CopyFrom(request)
        message.request_id = request.request_id or str(uuid.uuid4())
        return self._calls.unary("gateway", self.gateway.Complete, message, timeout_s).completion

    def models(self) -> Iterator[llm_pb2.Model]:
        """All models that can be asked for."""
        request = llm_pb2.ListModelsRequest()
        while True:
            page = self._calls.short("gateway", self.gateway.ListModels, request)
            yield from page.models
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    # Environments and episodes.

    def environments(self, family: str = "") -> Iterator[rollout_pb2.Environment]:
        """All environments, or those of a family, without their texts."""
        request = rollout_pb2.ListEnvironmentsRequest(family=family)
        while True:
            page = self._calls.short("rollout", self.rollout.ListEnvironments, request)
            yield from page.environments
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def environment(self, environment: str, variant: str = "") -> rollout_pb2.Environment:
        """One environment with its texts."""
        request = rollout_pb2.GetEnvironmentRequest(
            environment=environment, variant=variant, view=rollout_pb2.ENVIRONMENT_VIEW_FULL
        )
        return self._calls.short("rollout", self.rollout.GetEnvironment, request).environment

    def evaluate_policy(
        self,
        environment: str,
        policy_source: str,
        seeds: Iterable[int],
        *,
        variant: str = "",
        request_id: str | None = None,
        on_episode: Callable[[types_pb2.EpisodeResult], None] | None = None,
        timeout_s: float | None = None,
    ) -> Evaluation:
        """Episodes of a policy, one a seed, in the seeds' order.

        A policy's failure is the `error` of its episode and leaves the others their results. `on_episode` is
        told of each as it ends, after an interruption possibly again.
        """
        request = rollout_pb2.EvaluatePolicyRequest(
            environment=environment,
            variant=variant,
            policy_source=policy_source,
            seeds=list(seeds),
            request_id=request_id or str(uuid.uuid4()),
        )

        def attempt(left_s: float | None) -> Evaluation:
            episodes: list[types_pb2.EpisodeResult] = []
            for message in self._calls.stream("rollout", self.rollout.EvaluatePolicy, request, left_s):
                part = message.WhichOneof("part")
                if part == "episode":
                    episodes.append(message.episode)
                    if on_episode is not None:
                        on_episode(message.episode)
                elif part == "summary":
                    return Evaluation(tuple(episodes), message.summary)
            raise FleetError("ROLLOUT_UNAVAILABLE", "the evaluation's stream ended without its summary")

        return retrying(attempt, timeout_s=timeout_s, patience_s=self._calls.patience_s)

    # Runs.

    def create_run(
        self,
        settings: optimizer_pb2.RunSettings,
        *,
        display_name: str = "",
        idempotency_key: str | None = None,
    ) -> optimizer_pb2.Run:
        """Starts a run. The same idempotency key is the same run; None makes a new one."""
        request = optimizer_pb2.CreateRunRequest(
            settings=settings, request_id=idempotency_key or str(uuid.uuid4()), display_name=display_name
        )
        return self._calls.short("optimizer", self.optimizer.CreateRun, request).run

    def get_run(self, run_id: str) -> optimizer_pb2.Run:
        """One run, everything."""
        request = optimizer_pb2.GetRunRequest(run_id=run_id, view=optimizer_pb2.RUN_VIEW_FULL)
        return self._calls.short("optimizer", self.optimizer.GetRun, request).run

    def runs(self, filter: str = "") -> Iterator[optimizer_pb2.Run]:  # noqa: A002 - the contract's word
        """Runs, newest first; `filter` as in `state=RUNNING`."""
        request = optimizer_pb2.ListRunsRequest(filter=filter)
        while True:
            page = self._calls.short("optimizer", self.optimizer.ListRuns, request)
            yield from page.runs
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def cancel_run(self, run_id: str, reason: str = "") -> optimizer_pb2.Run:
        """Ends a run; what is paid for is kept."""
        request = optimizer_pb2.CancelRunRequest(run_id=run_id, reason=reason)
        return self._calls.short("optimizer", self.optimizer.CancelRun, request).run

    def get_candidate(self, candidate_id: str) -> optimizer_pb2.Candidate:
        """One candidate, everything."""
        request = optimizer_pb2.GetCandidateRequest(
            candidate_id=candidate_id, view=optimizer_pb2.CANDIDATE_VIEW_FULL
        )
        return self._calls.short("optimizer", self.optimizer.GetCandidate, request).candidate

    def watch_run(
        self, run_id: str, *, after_sequence: int = 0, patience_s: float = WATCH_PATIENCE_S
    ) -> Iterator[WatchedEvent]:
        """A run's events after a sequence number, each once and in order, until the run has ended.

        A connection that breaks is made again and goes on after the last event; after `patience_s` seconds
        without hearing anything the error is raised. Closing the iterator ends the watch, never the run.
        """
        return watch_run(self._calls, self.optimizer, run_id, after_sequence, patience_s)
