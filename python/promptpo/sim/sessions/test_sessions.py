"""Sessions on a sidecar: opening, renewing, closing, reports, draining, and what is left behind."""

from __future__ import annotations

import os
import signal
import stat
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf.duration_pb2 import Duration

from promptpo.rollout.v1 import rollout_pb2
from promptpo.sim.errors import SimError
from promptpo.sim.server.test_life import all_end
from promptpo.sim.server.test_server import RIGHT, block
from promptpo.sim.server.testing import Sidecar
from promptpo.sim.sessions.misbehaving import END, MOODY
from promptpo.sim.sessions.test_compliance import ends, fails
from promptpo.sim.sessions.testing import GrpcStream, ShardClient, UnixStream, open_request, session
from promptpo.sim.v1 import sim_pb2


@pytest.mark.parametrize(
    ("change", "reason", "field"),
    [
        ({"environment": "HalfCheetah-v9"}, "UNKNOWN_ENVIRONMENT", None),
        ({"environment": "gym:Nothing-v0"}, "UNKNOWN_ENVIRONMENT", None),
        ({"environment": "gym:no.such.module:Nothing-v0"}, "INVALID_ARGUMENT", "environment"),
        ({"environment": "gym:antigravity:Nothing-v0"}, "INVALID_ARGUMENT", "environment"),
        ({"environment": "Swimmer-v5", "variant": "no"}, "UNKNOWN_VARIANT", None),
        ({"environment": ""}, "INVALID_ARGUMENT", "environment"),
        ({"token": ""}, "INVALID_ARGUMENT", "token"),
        ({"session_id": ""}, "INVALID_ARGUMENT", "session_id"),
        ({"environment_count": 0}, "INVALID_ARGUMENT", "environment_count"),
        ({"environment_count": 5000}, "INVALID_ARGUMENT", "environment_count"),
        ({"seeds": [1, 2]}, "INVALID_SEEDS", "seeds"),
        ({"seeds": [-1]}, "INVALID_SEEDS", "seeds"),
        ({"autoreset_mode": 9}, "INVALID_ARGUMENT", "autoreset_mode"),
        ({"lease": Duration()}, "INVALID_ARGUMENT", "lease"),
        ({"options": {"sizes": 3}}, "INVALID_ARGUMENT", "options.sizes"),
        ({"options": {"size": -1}}, "INVALID_ARGUMENT", "options"),
        ({"options": {"render_mode": "human"}}, "INVALID_ARGUMENT", "options.render_mode"),
        (
            {"environment": "Swimmer-v5", "options": {"xml_file": "/a.xml"}},
            "INVALID_ARGUMENT",
            "options.xml_file",
        ),
        ({"environment": "Swimmer-v5", "options": {"xml_file": "no.xml"}}, "INVALID_ARGUMENT", "options"),
        ({"environment": "NoiseWorld-0", "options": {"n": 3}}, "INVALID_ARGUMENT", "options.n"),
        ({"options": {"size": 1 << 22}}, "INVALID_ARGUMENT", "environment_count"),
        ({"options": {"dies_when_made": True}}, "SIMULATOR_FAILED", None),
    ],
)
def test_a_session_that_cannot_be_opened(
    sidecar: Sidecar, change: dict[str, Any], reason: str, field: str | None
) -> None:
    request = open_request("bad", MOODY)
    for name, value in change.items():
        if name == "options":
            request.options.update(value)
        elif name == "seeds":
            request.seeds.extend(value)
        elif name == "lease":
            request.lease.CopyFrom(value)
        else:
            setattr(request, name, value)
    found, metadata = sidecar.failure(lambda: sidecar.stub.OpenSession(request))
    assert (found, metadata.get("field")) == (reason, field)


def test_options_reach_the_environment(sidecar: Sidecar) -> None:
    with session(sidecar, open_request("options", MOODY, options={"size": 4})) as opened:
        assert list(opened.observation_space.box.shape) == [4]


def test_opening_the_same_session_again_gives_the_same(sidecar: Sidecar) -> None:
    request = open_request("twice", MOODY)
    with session(sidecar, request) as opened:
        assert sidecar.stub.OpenSession(request).opened == opened
        request.environment_count = 2
        assert sidecar.failure(lambda: sidecar.stub.OpenSession(request))[0] == "ALREADY_EXISTS"


def test_a_caller_that_leaves_while_it_is_made_leaves_nothing(sidecar: Sidecar) -> None:
    before = set(sidecar.descendants())
    call = sidecar.stub.OpenSession.future(open_request("left", "button-press-v3", 200))
    while not (made := set(sidecar.descendants()) - before):
        continue
    with ends(made.pop()):
        call.cancel()
    assert sidecar.failure(lambda: sidecar.stub.RenewSession(_renewal("left", 1)))[0] == "UNKNOWN_SESSION"


def test_a_renewed_lease(sidecar: Sidecar) -> None:
    with session(sidecar, open_request("renewed", MOODY, lease_s=30)):
        assert sidecar.stub.RenewSession(_renewal("renewed", 900)).lease_left.seconds >= 899
        (report,) = sidecar.stub.Report(sim_pb2.ReportRequest()).sessions
        assert 890 < report.lease_left.seconds <= 900
        assert sidecar.stub.RenewSession(_renewal("renewed", 0)).lease_left.seconds in (29, 30)
        bad = _renewal("renewed", -1)
        assert sidecar.failure(lambda: sidecar.stub.RenewSession(bad))[0] == "INVALID_ARGUMENT"
    assert sidecar.failure(lambda: sidecar.stub.RenewSession(_renewal("renewed", 9)))[0] == "UNKNOWN_SESSION"


def test_a_report_counts(sidecar: Sidecar) -> None:
    begin = sidecar.stub.Report(sim_pb2.ReportRequest())
    assert begin.resident_bytes > 50 << 20
    with session(sidecar, open_request("counted", MOODY, 2)) as opened:
        client = ShardClient("counted", lambda: UnixStream(opened.unix_socket))
        (idle,) = sidecar.stub.Report(sim_pb2.ReportRequest()).sessions
        assert (idle.step_count, idle.attached) == (0, False)
        client.open()
        client.reset()
        for _ in range(32):
            client.act(np.zeros(2, np.int64))
        client.act(np.full(2, END))
        (report,) = sidecar.stub.Report(sim_pb2.ReportRequest()).sessions
        assert (report.session_id, report.environment, report.environment_count) == ("counted", MOODY, 2)
        assert (report.step_count, report.episode_count, report.death_count) == (66, 2, 0)
        assert report.attached
        assert len(report.step_seconds) == 2
        sidecar.block(block(RIGHT, [0, 1, 2]))
        assert (
            sidecar.stub.Report(sim_pb2.ReportRequest()).policy_process_count
            == begin.policy_process_count + 3
        )


def test_a_shard_in_the_place_of_one_on_a_sidecar_that_died(sidecar: Sidecar) -> None:
    request = open_request("moved", MOODY, 2, seeds=[1, 2], cause="its sidecar died")
    with session(sidecar, request):
        client = ShardClient("moved", lambda: GrpcStream(sidecar.channel))
        client.last, client.next = 6, 7
        assert client.open().next_step == 7
        outcome = client.act(np.zeros(2, np.int64))
        assert (outcome.step, outcome.truncated) == (7, [True, True])
        assert outcome.causes == dict.fromkeys(range(2), "its sidecar died")
        assert client.act(np.zeros(2, np.int64)).truncated == [False, False]


def test_sockets_are_private_and_removed() -> None:
    with Sidecar() as sidecar:
        opened = sidecar.stub.OpenSession(open_request("a", MOODY)).opened
        path = Path(opened.unix_socket)
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        sidecar.stub.CloseSession(sim_pb2.CloseSessionRequest(session_id="a"))
        assert not path.exists()
        sidecar.stub.OpenSession(open_request("b", MOODY))
        assert sidecar.stop() == (0, b"")
        assert not path.parent.exists()


def test_a_killed_sidecar_leaves_no_session_and_its_folder_goes_with_the_next_one(tmp_path: Path) -> None:
    place = {"TMPDIR": str(tmp_path)}
    with Sidecar(place) as sidecar:
        opened = sidecar.stub.OpenSession(open_request("a", MOODY)).opened
        client = ShardClient("a", lambda: UnixStream(opened.unix_socket))
        client.open()
        with all_end(sidecar.descendants()):
            sidecar.process.send_signal(signal.SIGKILL)
        assert fails(client.receive) == "SIDECAR_DIED"
    with Sidecar(place) as sidecar:
        sidecar.stub.OpenSession(open_request("b", MOODY))
        assert len(list(tmp_path.iterdir())) == 1
        assert not Path(opened.unix_socket).exists()


def test_a_drain_ends_sessions_and_says_so() -> None:
    with Sidecar() as sidecar:
        opened = sidecar.stub.OpenSession(open_request("a", MOODY)).opened
        unix = ShardClient("a", lambda: UnixStream(opened.unix_socket))
        unix.open()
        sidecar.stub.OpenSession(open_request("b", MOODY))
        relayed = ShardClient("b", lambda: GrpcStream(sidecar.channel))
        relayed.open()
        sidecar.stub.Drain(sim_pb2.DrainRequest(grace=Duration(seconds=600)), timeout=60)
        for client in (unix, relayed):
            with pytest.raises(SimError, match="renew the session to go on elsewhere") as caught:
                client.receive()
            assert caught.value.reason == "SHUTTING_DOWN"
        assert (
            sidecar.failure(lambda: sidecar.stub.OpenSession(open_request("c", MOODY)))[0] == "SHUTTING_DOWN"
        )
        with all_end(sidecar.descendants()):
            sidecar.process.send_signal(signal.SIGTERM)
            assert sidecar.stop() == (0, b"")


def test_a_stream_to_a_session_that_never_was(sidecar: Sidecar) -> None:
    client = ShardClient("nobody", lambda: GrpcStream(sidecar.channel))
    assert fails(client.open) == "UNKNOWN_SESSION"


def test_a_caller_of_step_that_says_nothing(sidecar: Sidecar) -> None:
    step: Any = sidecar.channel.stream_stream("/promptpo.sim.v1.Simulator/Step")
    assert list(step(iter(()))) == []


def test_a_client_that_leaves_frees_its_stream(sidecar: Sidecar) -> None:
    with session(sidecar, open_request("leaving", MOODY)):
        client = ShardClient("leaving", lambda: GrpcStream(sidecar.channel))
        client.open()
        client.stream.cut()
        while sidecar.stub.Report(sim_pb2.ReportRequest()).sessions[0].attached:
            continue


def test_a_deadline_ends_a_stream(sidecar: Sidecar) -> None:
    with session(sidecar, open_request("deadline", MOODY)) as opened:
        step = sidecar.stub.Step(iter(_forever(opened)), timeout=0.5)
        with pytest.raises(grpc.RpcError) as caught:
            list(step)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_sessions_do_not_need_confinement() -> None:
    with Sidecar({"PROMPTPO_UNCONFINED": "1"}) as sidecar:
        opened = sidecar.stub.OpenSession(
            open_request("a", "NoiseWorld-0", 2, autoreset_mode=rollout_pb2.AUTORESET_MODE_SAME_STEP)
        ).opened
        assert opened.observation_space.WhichOneof("kind") == "dict"
        assert os.path.exists(opened.unix_socket)  # noqa: PTH110


def _forever(opened: sim_pb2.ShardOpened) -> Any:
    del opened
    yield sim_pb2.StepRequest(
        open=sim_pb2.OpenShard(session_id="deadline", token="a token of the session", last_step=-1)
    )
    import threading

    threading.Event().wait(5.0)


def _renewal(session_id: str, lease_s: int) -> sim_pb2.RenewSessionRequest:
    request = sim_pb2.RenewSessionRequest(session_id=session_id)
    if lease_s:
        request.lease.seconds = lease_s
    return request
