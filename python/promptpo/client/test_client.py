"""The client against a real server in this process."""

import threading
from pathlib import Path

import grpc
import pytest

from promptpo.client import Client, FleetError, Tls, Violation, has_ended
from promptpo.client.small_fleet import SmallFleet
from promptpo.llm.v1 import llm_pb2
from promptpo.optimizer.v1 import optimizer_pb2
from promptpo.optimizer.v1.optimizer_pb2 import RUN_STATE_RUNNING, RUN_STATE_SUCCEEDED

SOURCE = "class NoiseWorldPolicy: ..."
TLS = Path(__file__).parents[3] / "packages/service-kit/src/testing/tls"


def settings() -> optimizer_pb2.RunSettings:
    return optimizer_pb2.RunSettings(environment="NoiseWorld-0", model="m-1")


def run_with_events(servers: SmallFleet, client: Client, count: int) -> str:
    run = client.create_run(settings())
    for at in range(1, count + 1):
        servers.write(run.id, RUN_STATE_SUCCEEDED if at == count else RUN_STATE_RUNNING)
    servers.attempts.clear()
    return run.id


def sequences(client: Client, run_id: str, after: int = 0, patience_s: float = 300.0) -> list[int]:
    watched = client.watch_run(run_id, after_sequence=after, patience_s=patience_s)
    return [one.event.sequence for one in watched]


def test_a_run_is_made_once_although_its_first_answer_was_lost(servers: SmallFleet, client: Client) -> None:
    servers.failures.append("SHUTTING_DOWN")
    run = client.create_run(settings(), display_name="first")
    assert (run.id, run.display_name, run.settings.model) == ("run-1", "first", "m-1")
    assert len(servers.attempts) == 2
    assert len(set(servers.attempts)) == 1
    assert client.create_run(settings()).id == "run-2"
    assert client.create_run(settings(), idempotency_key="k").id == "run-3"
    assert client.create_run(settings(), idempotency_key="k").id == "run-3"


def test_runs_are_found_listed_over_pages_and_cancelled(client: Client) -> None:
    for _ in range(5):
        client.create_run(settings())
    assert [run.id for run in client.runs()] == ["run-1", "run-2", "run-3", "run-4", "run-5"]
    assert not has_ended(client.get_run("run-3"))
    assert has_ended(client.cancel_run("run-3", "enough"))


def test_a_watch_tells_each_event_once_and_ends_with_the_run(servers: SmallFleet, client: Client) -> None:
    run_id = run_with_events(servers, client, 3)
    assert sequences(client, run_id) == [1, 2, 3]
    assert sequences(client, run_id, after=2) == [3]
    assert sequences(client, run_id, after=3) == []


def test_a_watch_goes_on_where_it_was_after_every_broken_connection(
    servers: SmallFleet, client: Client
) -> None:
    run_id = run_with_events(servers, client, 5)
    servers.cut_streams_after = 2
    assert sequences(client, run_id) == [1, 2, 3, 4, 5]
    assert servers.attempts == ["0", "2", "4"]


def test_a_watch_survives_the_restart_of_the_optimizer(servers: SmallFleet, client: Client) -> None:
    run_id = client.create_run(settings()).id
    servers.write(run_id, RUN_STATE_RUNNING)
    seen = []
    for watched in client.watch_run(run_id):
        seen.append(watched.event.sequence)
        if len(seen) == 1:
            servers.stop()
            servers.start()
            servers.write(run_id, RUN_STATE_SUCCEEDED)
    assert seen == [1, 2]


def test_a_watch_gives_up_when_nobody_answers(servers: SmallFleet, client: Client) -> None:
    run_id = run_with_events(servers, client, 1)
    servers.stop()
    with pytest.raises(FleetError) as raised:
        sequences(client, run_id, patience_s=0.3)
    assert raised.value.reason == "OPTIMIZER_UNAVAILABLE"


def test_closing_a_watch_cancels_the_call(servers: SmallFleet, client: Client) -> None:
    run_id = client.create_run(settings()).id
    servers.write(run_id, RUN_STATE_RUNNING)
    watched = client.watch_run(run_id)
    assert next(watched).event.sequence == 1
    watched.close()  # type: ignore[attr-defined]
    assert list(watched) == []


def test_an_evaluation_is_collected_in_the_order_of_its_seeds(client: Client) -> None:
    told: list[int] = []
    evaluation = client.evaluate_policy(
        "NoiseWorld-0", SOURCE, [2, 0, 51], on_episode=lambda episode: told.append(episode.seed)
    )
    assert [(one.seed, one.return_value) for one in evaluation.episodes] == [(2, 2 / 3), (0, 0.0), (51, 17.0)]
    assert evaluation.summary.mean_return == (2 / 3 + 0 + 17) / 3
    assert told == [2, 0, 51]


def test_an_evaluation_that_breaks_is_asked_for_again_by_the_same_id(
    servers: SmallFleet, client: Client
) -> None:
    servers.cut_streams_after = 1
    evaluation = client.evaluate_policy("NoiseWorld-0", SOURCE, [1, 2])
    assert [one.seed for one in evaluation.episodes] == [1, 2]
    assert len(servers.attempts) == 2
    assert len(set(servers.attempts)) == 1


def test_a_broken_policy_is_a_result(client: Client) -> None:
    (episode,) = client.evaluate_policy("NoiseWorld-0", "", [1]).episodes
    assert episode.error.message == "no class"


def test_a_completion_has_an_id_so_that_a_lost_answer_is_not_paid_twice(
    servers: SmallFleet, client: Client
) -> None:
    servers.failures.append("SHUTTING_DOWN")
    hello = llm_pb2.Message(role=llm_pb2.Message.ROLE_USER, content="hello")
    request = llm_pb2.CompleteRequest(model="m-1", messages=[hello])
    assert client.complete(request).text == "you said: hello"
    assert len(servers.attempts) == 2
    assert len(set(servers.attempts)) == 1
    assert servers.attempts[0] != ""
    assert request.request_id == ""
    request.request_id = "mine"
    assert client.complete(request).request_id == "mine"


def test_environments_and_models_are_listed(client: Client) -> None:
    assert [one.id for one in client.environments()] == ["NoiseWorld-0"]
    assert [one.name for one in client.models()] == ["m-1"]
    assert client.environment("NoiseWorld-0").policy_class == "NoiseWorldPolicy"


def test_an_error_has_all_that_its_server_said(client: Client) -> None:
    with pytest.raises(FleetError) as raised:
        client.environment("NoiseWord-0")
    error = raised.value
    assert (error.reason, error.code) == ("UNKNOWN_ENVIRONMENT", grpc.StatusCode.NOT_FOUND)
    assert error.message == "no such environment; did you mean NoiseWorld-0?"
    assert error.metadata == {"nearest": "NoiseWorld-0"}
    assert error.violations == (Violation("f", "d"),)
    assert error.request_id == "r-1"
    assert not error.retryable


def test_a_fleet_that_is_away_is_waited_for_then_named(servers: SmallFleet, client: Client) -> None:
    servers.stop()
    hasty = Client(rollout=servers.address, environment={}, patience_s=0.2)
    with hasty, pytest.raises(FleetError) as raised:
        hasty.environment("NoiseWorld-0")
    assert raised.value.reason == "ROLLOUT_UNAVAILABLE"
    assert servers.address in raised.value.message
    back = threading.Thread(target=servers.start)
    back.start()
    assert client.environment("NoiseWorld-0").id == "NoiseWorld-0"
    back.join()


def test_a_deadline_is_told_with_who_did_not_answer(servers: SmallFleet, client: Client) -> None:
    with pytest.raises(FleetError) as raised:
        client.evaluate_policy("NoiseWorld-0", "wait", [1], timeout_s=0.2)
    assert raised.value.reason == "DEADLINE_EXCEEDED"
    assert servers.address in raised.value.message
    assert len(servers.attempts) == 1


def test_a_message_that_is_too_large_is_told_as_such(client: Client) -> None:
    with pytest.raises(FleetError) as raised:
        client.evaluate_policy("NoiseWorld-0", "x" * (65 << 20), [1])
    assert raised.value.reason == "MESSAGE_TOO_LARGE"
    assert not raised.value.retryable


def test_an_address_that_nobody_gave_is_asked_for() -> None:
    with Client(environment={}) as client, pytest.raises(FleetError, match="set PROMPTPO_OPTIMIZER"):
        client.get_run("run-1")


def test_the_token_and_the_addresses_come_from_arguments_then_from_the_environment(
    servers: SmallFleet,
) -> None:
    environment = {"PROMPTPO_OPTIMIZER": servers.address, "PROMPTPO_TOKEN": "env-token"}
    with Client(environment=environment) as client:
        client.create_run(settings())
    with Client(environment=environment, token="own-token") as client:
        client.create_run(settings())
    assert servers.authorizations == ["Bearer env-token", "Bearer own-token"]


def test_tls_needs_trust_and_where_asked_a_certificate_of_ones_own() -> None:
    pair = ((TLS / "server-key.pem").read_bytes(), (TLS / "server.pem").read_bytes())
    credentials = grpc.ssl_server_credentials([pair], (TLS / "ca.pem").read_bytes(), require_client_auth=True)
    servers = SmallFleet(credentials).start()
    try:
        environment = {
            "PROMPTPO_OPTIMIZER": servers.address,
            "PROMPTPO_TLS_CA": str(TLS / "ca.pem"),
            "PROMPTPO_TLS_CERT": str(TLS / "client.pem"),
            "PROMPTPO_TLS_KEY": str(TLS / "client-key.pem"),
        }
        with Client(environment=environment) as client:
            assert client.create_run(settings()).id == "run-1"
        for tls in (None, Tls(ca=TLS / "ca.pem")):
            stranger = Client(optimizer=servers.address, environment={}, tls=tls, patience_s=0)
            with stranger, pytest.raises(FleetError) as raised:
                stranger.create_run(settings())
            assert raised.value.reason == "OPTIMIZER_UNAVAILABLE"
    finally:
        servers.stop()


def test_half_a_client_certificate_is_refused() -> None:
    client = Client(optimizer="127.0.0.1:1", environment={}, tls=Tls(cert=TLS / "client.pem"))
    with client, pytest.raises(ValueError, match="needs its key"):
        client.get_run("run-1")
