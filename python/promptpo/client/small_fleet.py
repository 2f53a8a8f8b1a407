"""For tests: a real server of all three services whose state outlives its restarts, as a database would.

Runs have the events that a test writes; evaluations and completions are made up but obey request ids.
"""

# ruff: noqa: ARG002, N802 - the signatures are grpc's

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from functools import partial
from typing import NoReturn, Self

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from promptpo.client.reasons import DOMAIN, REASONS
from promptpo.llm.v1 import llm_pb2, llm_pb2_grpc
from promptpo.optimizer.v1 import optimizer_pb2, optimizer_pb2_grpc
from promptpo.rollout.v1 import rollout_pb2, rollout_pb2_grpc
from promptpo.types.v1 import types_pb2


def fail(
    context: grpc.ServicerContext, reason: str, message: str, *, retry_after_s: int | None = None
) -> NoReturn:
    """Ends the call as a service of the fleet does."""
    details: list[Message] = [
        error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata={"nearest": "NoiseWorld-0"}),
        error_details_pb2.RequestInfo(request_id="r-1"),
        error_details_pb2.BadRequest(
            field_violations=[error_details_pb2.BadRequest.FieldViolation(field="f", description="d")]
        ),
    ]
    if retry_after_s is not None:
        details.append(error_details_pb2.RetryInfo(retry_delay=Duration(seconds=retry_after_s)))
    code: int = REASONS[reason].code.value[0]
    status = status_pb2.Status(code=code, message=message, details=[_packed(one) for one in details])
    context.abort_with_status(rpc_status.to_status(status))


class SmallFleet:
    """What the servers did, and what they are told to do next."""

    def __init__(self, credentials: grpc.ServerCredentials | None = None) -> None:
        self.runs: dict[str, optimizer_pb2.Run] = {}
        self.events: dict[str, list[optimizer_pb2.Event]] = {}
        self.run_of_key: dict[str, str] = {}
        self.attempts: list[str] = []
        """Request ids and cursors of attempts, in the order of their arrival."""
        self.authorizations: list[str] = []
        self.failures: list[str] = []
        """Reasons with which the next calls fail, each after its work was done."""
        self.cut_streams_after: int | None = None
        """Streams end with SHUTTING_DOWN after so many messages."""
        self.written = threading.Condition()
        self.address = ""
        self._credentials = credentials
        self._server: grpc.Server | None = None

    def start(self) -> Self:
        """Listens, after a restart on the same port."""
        server = grpc.server(
            futures.ThreadPoolExecutor(8),
            options=(("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", 64 << 20)),
        )
        # To mypy every method of a servicer is abstract; those left out answer UNIMPLEMENTED.
        optimizer_pb2_grpc.add_OptimizerServicer_to_server(_Optimizer(self), server)  # type: ignore[abstract]
        rollout_pb2_grpc.add_RolloutServiceServicer_to_server(_Rollout(self), server)  # type: ignore[abstract]
        llm_pb2_grpc.add_LlmGatewayServicer_to_server(_Gateway(self), server)  # type: ignore[abstract]
        address = self.address or "127.0.0.1:0"
        if self._credentials is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, self._credentials)
        self.address = f"127.0.0.1:{port}"
        server.start()
        self._server = server
        return self

    def stop(self) -> None:
        """Cuts every call."""
        if self._server is not None:
            self._server.stop(None).wait()
        with self.written:
            self.written.notify_all()

    def write(self, run_id: str, state: optimizer_pb2.RunState.ValueType) -> None:
        """Adds an event to a run's log and tells its watchers."""
        with self.written:
            events = self.events[run_id]
            sequence = len(events) + 1
            events.append(optimizer_pb2.Event(sequence=sequence, place=f"r1/c{sequence:02}/policy/0"))
            self.runs[run_id].state = state
            self.runs[run_id].last_sequence = sequence
            self.written.notify_all()

    def wait(self, until: Callable[[], bool]) -> None:
        """Waits until something is written after which it holds."""
        with self.written:
            assert self.written.wait_for(until, 60)

    def seen(self, context: grpc.ServicerContext) -> None:
        """Notes who called."""
        found = [str(value) for key, value in context.invocation_metadata() if key == "authorization"]
        self.authorizations.append(found[0] if found else "")

    def fail_if_told(self, context: grpc.ServicerContext) -> None:
        """The next failure, if a test asked for one."""
        if self.failures:
            fail(context, self.failures.pop(0), "told to fail")


class _Optimizer(optimizer_pb2_grpc.OptimizerServicer):
    def __init__(self, fleet: SmallFleet) -> None:
        self.fleet = fleet

    def CreateRun(
        self, request: optimizer_pb2.CreateRunRequest, context: grpc.ServicerContext
    ) -> optimizer_pb2.CreateRunResponse:
        fleet = self.fleet
        fleet.attempts.append(request.request_id)
        fleet.seen(context)
        with fleet.written:
            run_id = fleet.run_of_key.setdefault(request.request_id, f"run-{len(fleet.runs) + 1}")
            if run_id not in fleet.runs:
                fleet.runs[run_id] = optimizer_pb2.Run(
                    id=run_id,
                    display_name=request.display_name,
                    settings=request.settings,
                    state=optimizer_pb2.RUN_STATE_QUEUED,
                )
                fleet.events[run_id] = []
            fleet.written.notify_all()
        fleet.fail_if_told(context)
        return optimizer_pb2.CreateRunResponse(run=fleet.runs[run_id])

    def GetRun(
        self, request: optimizer_pb2.GetRunRequest, context: grpc.ServicerContext
    ) -> optimizer_pb2.GetRunResponse:
        return optimizer_pb2.GetRunResponse(run=self._known(request.run_id, context))

    def ListRuns(
        self, request: optimizer_pb2.ListRunsRequest, context: grpc.ServicerContext
    ) -> optimizer_pb2.ListRunsResponse:
        runs = list(self.fleet.runs.values())
        at = int(request.page_token or "0")
        more = str(at + 2) if at + 2 < len(runs) else ""
        return optimizer_pb2.ListRunsResponse(runs=runs[at : at + 2], next_page_token=more)

    def CancelRun(
        self, request: optimizer_pb2.CancelRunRequest, context: grpc.ServicerContext
    ) -> optimizer_pb2.CancelRunResponse:
        self._known(request.run_id, context)
        self.fleet.write(request.run_id, optimizer_pb2.RUN_STATE_CANCELLED)
        return optimizer_pb2.CancelRunResponse(run=self.fleet.runs[request.run_id])

    def WatchRun(
        self, request: optimizer_pb2.WatchRunRequest, context: grpc.ServicerContext
    ) -> Iterator[optimizer_pb2.WatchRunResponse]:
        fleet = self.fleet
        fleet.attempts.append(str(request.after_sequence))
        run = self._known(request.run_id, context)
        events = fleet.events[request.run_id]
        next_at = request.after_sequence
        sent = 0

        def more(at: int) -> bool:
            return at < len(events) or not context.is_active()

        while context.is_active():
            if next_at < len(events):
                if sent == fleet.cut_streams_after:
                    fail(context, "SHUTTING_DOWN", "the service is shutting down")
                sent += 1
                yield optimizer_pb2.WatchRunResponse(event=events[next_at], run=run)
                next_at += 1
            elif run.state >= optimizer_pb2.RUN_STATE_SUCCEEDED:
                return
            else:
                yield optimizer_pb2.WatchRunResponse(run=run)
                fleet.wait(partial(more, next_at))

    def _known(self, run_id: str, context: grpc.ServicerContext) -> optimizer_pb2.Run:
        run = self.fleet.runs.get(run_id)
        if run is None:
            fail(context, "UNKNOWN_RUN", f"no run {run_id}; list them with promptpo list")
        return run


class _Rollout(rollout_pb2_grpc.RolloutServiceServicer):
    def __init__(self, fleet: SmallFleet) -> None:
        self.fleet = fleet

    def ListEnvironments(
        self, request: rollout_pb2.ListEnvironmentsRequest, context: grpc.ServicerContext
    ) -> rollout_pb2.ListEnvironmentsResponse:
        return rollout_pb2.ListEnvironmentsResponse(environments=[rollout_pb2.Environment(id="NoiseWorld-0")])

    def GetEnvironment(
        self, request: rollout_pb2.GetEnvironmentRequest, context: grpc.ServicerContext
    ) -> rollout_pb2.GetEnvironmentResponse:
        self.fleet.fail_if_told(context)
        if request.environment != "NoiseWorld-0":
            fail(context, "UNKNOWN_ENVIRONMENT", "no such environment; did you mean NoiseWorld-0?")
        space = rollout_pb2.ActionSpace(kind="discrete", n=4)
        found = rollout_pb2.Environment(
            id="NoiseWorld-0", policy_class="NoiseWorldPolicy", action_space=space
        )
        return rollout_pb2.GetEnvironmentResponse(environment=found)

    def EvaluatePolicy(
        self, request: rollout_pb2.EvaluatePolicyRequest, context: grpc.ServicerContext
    ) -> Iterator[rollout_pb2.EvaluatePolicyResponse]:
        self.fleet.attempts.append(request.request_id)
        if request.policy_source == "wait":
            gone = threading.Event()
            context.add_callback(gone.set)
            gone.wait(60)
        for sent, seed in enumerate(request.seeds):
            if sent == self.fleet.cut_streams_after:
                self.fleet.cut_streams_after = None
                fail(context, "SIDECAR_DIED", "the sidecar died while it worked on this")
            episode = types_pb2.EpisodeResult(seed=seed, return_value=seed / 3, length=10)
            if not request.policy_source:
                episode.error.message = "no class"
            yield rollout_pb2.EvaluatePolicyResponse(episode=episode)
        mean = sum(seed / 3 for seed in request.seeds) / len(request.seeds)
        yield rollout_pb2.EvaluatePolicyResponse(summary=rollout_pb2.EvaluationSummary(mean_return=mean))


class _Gateway(llm_pb2_grpc.LlmGatewayServicer):
    def __init__(self, fleet: SmallFleet) -> None:
        self.fleet = fleet

    def Complete(
        self, request: llm_pb2.CompleteRequest, context: grpc.ServicerContext
    ) -> llm_pb2.CompleteResponse:
        self.fleet.attempts.append(request.request_id)
        self.fleet.fail_if_told(context)
        text = f"you said: {request.messages[-1].content}"
        return llm_pb2.CompleteResponse(
            completion=llm_pb2.Completion(text=text, request_id=request.request_id)
        )

    def ListModels(
        self, request: llm_pb2.ListModelsRequest, context: grpc.ServicerContext
    ) -> llm_pb2.ListModelsResponse:
        return llm_pb2.ListModelsResponse(models=[llm_pb2.Model(name="m-1")])


def _packed(detail: Message) -> Any:
    packed = Any()
    packed.Pack(detail)
    return packed
