"""The methods of a real sidecar: what is answered, what fails with which reason, who is unharmed by whom."""

from __future__ import annotations

import io
import os
import signal
import threading

import grpc
import numpy as np
import pytest
from google.protobuf.duration_pb2 import Duration
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from promptpo.rollout.v1 import rollout_pb2
from promptpo.sim.server.testing import Sidecar, error_info
from promptpo.sim.v1 import sim_pb2
from promptpo.types.v1 import types_pb2

RIGHT = "class NoiseWorldPolicy:\n    def act(self, obs):\n        return 3\n"
SPIN = "class NoiseWorldPolicy:\n    def act(self, obs):\n        while True: pass\n"
SERVICE = "promptpo.sim.v1.Simulator"


def kind(error: types_pb2.PolicyError) -> str:
    return types_pb2.PolicyError.Kind.Name(error.kind).removeprefix("KIND_")


def test_handshake_tells_what_the_sidecar_is(sidecar: Sidecar) -> None:
    found = sidecar.stub.Handshake(sim_pb2.HandshakeRequest(protocol_version=1))
    assert found.pid == sidecar.ready["pid"] == sidecar.process.pid
    assert found.protocol_version == 1
    assert found.confinement.confined, found.confinement.problem
    assert len(found.fingerprint.digest) == 64
    assert set(found.fingerprint.simulations) == {"mujoco", "metaworld", "noiseworld", "pointmaze"}
    environments = {(e.id, e.variant): e for e in found.environments}
    assert len(environments) == len(found.environments)
    cheetah = environments["HalfCheetah-v5", "default"]
    assert (cheetah.policy_class, cheetah.horizon, list(cheetah.variants)) == ("HalfCheetahPolicy", 1000, [])
    assert list(cheetah.action_space.shape) == [6]
    assert len(cheetah.action_space.low) == 6
    assert cheetah.observation_fields[0].name == "obs_vector"
    keys = environments["NoiseWorld-4", "no_key_info"]
    assert list(keys.variants) == ["no_key_info", "key_info"]
    assert (keys.action_space.kind, keys.action_space.n) == ("discrete", 4)
    for environment in found.environments:
        assert environment.texts.observation
        assert environment.texts.implementation
        assert [text.kind for text in environment.texts.rewards] == list(environment.reward_kinds)
        assert environment.default_reward_kind in environment.reward_kinds


def test_another_version_of_the_contract_is_refused(sidecar: Sidecar) -> None:
    reason, _ = sidecar.failure(lambda: sidecar.stub.Handshake(sim_pb2.HandshakeRequest(protocol_version=2)))
    assert reason == "VERSION_MISMATCH"


def test_health_and_reflection(sidecar: Sidecar) -> None:
    health = health_pb2_grpc.HealthStub(sidecar.channel)
    for name in ("", SERVICE):
        status = health.Check(health_pb2.HealthCheckRequest(service=name)).status
        assert status == health_pb2.HealthCheckResponse.SERVING
    reflected = reflection_pb2_grpc.ServerReflectionStub(sidecar.channel).ServerReflectionInfo(
        iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    )
    assert SERVICE in [service.name for service in next(reflected).list_services_response.service]


@pytest.mark.parametrize(
    ("request_", "reason", "metadata"),
    [
        (
            sim_pb2.RunBlockRequest(environment="halfcheetah-v5", policy_source=RIGHT, seeds=[0]),
            "UNKNOWN_ENVIRONMENT",
            {"nearest": "HalfCheetah-v5"},
        ),
        (
            sim_pb2.RunBlockRequest(environment="NoiseWorld-4", variant="x", policy_source=RIGHT, seeds=[0]),
            "UNKNOWN_VARIANT",
            {"variants": "no_key_info,key_info"},
        ),
        (sim_pb2.RunBlockRequest(environment="NoiseWorld-0", policy_source=RIGHT), "INVALID_SEEDS", {}),
        (
            sim_pb2.RunBlockRequest(environment="NoiseWorld-0", policy_source=RIGHT, seeds=[1, 2, 1]),
            "INVALID_SEEDS",
            {"field": "seeds"},
        ),
        (
            sim_pb2.RunBlockRequest(environment="NoiseWorld-0", policy_source=RIGHT, seeds=[2**32]),
            "INVALID_SEEDS",
            {"field": "seeds"},
        ),
        (
            sim_pb2.RunBlockRequest(
                environment="NoiseWorld-0", policy_source="#" * (1 << 20) + "\n", seeds=[0]
            ),
            "POLICY_TOO_LARGE",
            {"field": "policy_source"},
        ),
        (
            sim_pb2.RunBlockRequest(
                environment="NoiseWorld-0",
                policy_source=RIGHT,
                seeds=[0],
                limits=rollout_pb2.PolicyLimits(memory_bytes=-1),
            ),
            "INVALID_ARGUMENT",
            {"field": "limits.memory_bytes"},
        ),
    ],
)
def test_bad_requests(
    sidecar: Sidecar, request_: sim_pb2.RunBlockRequest, reason: str, metadata: dict[str, str]
) -> None:
    found, details = sidecar.failure(lambda: sidecar.block(request_))
    assert found == reason
    if "nearest" in metadata:
        assert details["nearest"].startswith(metadata["nearest"])
    else:
        assert metadata.items() <= details.items()


@pytest.mark.parametrize(
    ("body", "expected", "step"),
    [
        ("return 3)", "SYNTAX", -1),
        ("return 7", "BAD_ACTION", 0),
        ("return 3 if obs.agent_row + obs.agent_col < 0.2 else [][0]", "EXCEPTION", None),
        ("import os; os._exit(0)", "KILLED", 0),
        ("open('/etc/passwd')", "ESCAPE_ATTEMPT", 0),
        ("return [0] * 10**10", "MEMORY", 0),
        ("while True: pass", "CPU", 0),
        ("import os; os.read(3, 1)", "TIMEOUT", 0),
    ],
)
def test_a_failing_policy_is_a_result(sidecar: Sidecar, body: str, expected: str, step: int | None) -> None:
    source = f"class NoiseWorldPolicy:\n    def act(self, obs):\n        {body}\n"
    limits = rollout_pb2.PolicyLimits(
        action_cpu=Duration(nanos=200_000_000), episode_wall=Duration(seconds=2), memory_bytes=1 << 29
    )
    (episode,) = sidecar.episodes("NoiseWorld-0", source, [3], limits=limits)
    assert kind(episode.error) == expected
    assert episode.error.seed == episode.seed == 3
    assert episode.error.step == (episode.length if step is None else step)
    assert not episode.success


def test_one_episodes_failure_leaves_the_others_their_results(sidecar: Sidecar) -> None:
    unlucky = RIGHT.replace("return 3", "import random; return 3 if random.random() < 0.95 else None")
    seeds = list(range(12))
    good = {e.seed: e.return_value for e in sidecar.episodes("NoiseWorld-0", RIGHT, seeds)}
    episodes = sidecar.episodes("NoiseWorld-0", unlucky, seeds)
    assert [e.seed for e in episodes] == seeds
    failed = [e for e in episodes if e.HasField("error")]
    assert 0 < len(failed) < len(seeds)
    assert {kind(e.error) for e in failed} == {"BAD_ACTION"}
    for episode in episodes:
        if not episode.HasField("error"):
            assert episode.return_value == good[episode.seed]


COUNTER = """
class NoiseWorldPolicy:
    calls = 0
    def act(self, obs):
        NoiseWorldPolicy.calls += 1
        if NoiseWorldPolicy.calls == {fails_at}: raise ValueError(NoiseWorldPolicy.calls)
        return 0 if NoiseWorldPolicy.calls <= 30 else 3
"""


def test_one_object_for_all_episodes_keeps_its_state(sidecar: Sidecar) -> None:
    lifetime = types_pb2.POLICY_LIFETIME_EVALUATION
    apart = sidecar.block(block(COUNTER.format(fails_at=0), [0, 1]))
    shared = sidecar.block(block(COUNTER.format(fails_at=0), [0, 1], policy_lifetime=lifetime))
    assert apart[0] == shared[0]
    assert apart[1] != shared[1]


def test_one_object_that_fails_is_followed_by_a_new_one(sidecar: Sidecar) -> None:
    request = block(
        COUNTER.format(fails_at=30), [0, 1, 2], policy_lifetime=types_pb2.POLICY_LIFETIME_EVALUATION
    )
    episodes = [part.episode for part in sidecar.block(request)]
    # 25 steps, then 4 more and the failure, then a new object's first 25 steps.
    assert [(e.length, e.HasField("error")) for e in episodes] == [(25, False), (4, True), (25, False)]


def block(source: str, seeds: list[int], **more: object) -> sim_pb2.RunBlockRequest:
    return sim_pb2.RunBlockRequest(
        environment="NoiseWorld-0",
        policy_source=source,
        seeds=seeds,
        **more,  # type: ignore[arg-type]
    )


def test_a_trajectory_comes_before_its_episode(sidecar: Sidecar) -> None:
    capture = rollout_pb2.Capture(seeds=[1], stride=2)
    parts = sidecar.block(block(RIGHT, [0, 1], capture=capture))
    assert [part.WhichOneof("part") for part in parts] == ["episode", "trajectory", "episode"]
    trajectory, episode = parts[1].trajectory, parts[2].episode
    assert trajectory.seed == episode.seed == 1
    arrays = np.load(io.BytesIO(trajectory.npz), allow_pickle=False)
    steps = -(-episode.length // 2)
    fields = {"agent_row", "agent_col", "goal_row", "goal_col", "board"}
    assert set(arrays) == fields | {"action", "reward", "seed"}
    assert (arrays["seed"].dtype, arrays["seed"].shape, int(arrays["seed"])) == (np.int64, (), 1)
    assert arrays["board"].shape == (steps, 25)
    assert arrays["action"].tolist() == [3] * steps
    assert (arrays["agent_row"][0], arrays["agent_col"][0]) == (0.0, 0.0)
    again = sidecar.block(block(RIGHT, [1], capture=rollout_pb2.Capture(all=True, stride=2)))
    assert again[0].trajectory == trajectory


def test_timings_come_before_their_episode(sidecar: Sidecar) -> None:
    stream = sidecar.stub.RunBlock(block(RIGHT, [3, 4], capture=rollout_pb2.Capture(seeds=[4])))
    parts = [part for part in stream if not part.HasField("heartbeat")]
    kinds = [part.WhichOneof("part") for part in parts]
    # Of two episodes side by side either may end first.
    assert sorted([kinds[: kinds.index("episode") + 1], kinds[kinds.index("episode") + 1 :]]) == [
        ["timings", "episode"],
        ["trajectory", "timings", "episode"],
    ]
    told = [part for part in parts if not part.HasField("trajectory")]
    for timings, episode in ((told[0].timings, told[1].episode), (told[2].timings, told[3].episode)):
        assert timings.seed == episode.seed
        # Every fourth step, the first one included.
        assert len(timings.act_seconds) == len(timings.step_seconds) == -(-episode.length // 4)
        assert min(*timings.act_seconds, *timings.step_seconds) > 0.0


def test_a_policys_randomness_is_a_function_of_the_episodes_seed(sidecar: Sidecar) -> None:
    drawing = RIGHT.replace("return 3", "import random; return random.randrange(4)")
    capture = rollout_pb2.Capture(all=True)

    def actions(seeds: list[int]) -> dict[int, bytes]:
        parts = sidecar.block(block(drawing, seeds, capture=capture))
        return {part.trajectory.seed: part.trajectory.npz for part in parts if part.HasField("trajectory")}

    drawn = actions([0, 1, 2, 3, 4])
    assert len({first_actions(npz) for npz in drawn.values()}) > 1
    for seeds in ([4, 2, 0], [3], [1]):
        assert actions(seeds).items() <= drawn.items()


def first_actions(npz: bytes) -> tuple[int, ...]:
    """Two: the board has not yet had much of a say."""
    return tuple(np.load(io.BytesIO(npz))["action"][:2].tolist())


def test_heartbeats_within_a_long_episode(sidecar: Sidecar) -> None:
    limits = rollout_pb2.PolicyLimits(action_cpu=Duration(seconds=30), episode_cpu=Duration(seconds=30))
    stream = sidecar.stub.RunBlock(block(SPIN, [9], limits=limits))
    first = next(stream)
    assert (first.heartbeat.seed, first.heartbeat.step) == (9, 0)
    stream.cancel()


def test_two_streams_at_once_take_turns_and_do_not_mix(sidecar: Sidecar) -> None:
    other = RIGHT.replace("return 3", "return 1")
    expected = {source: sidecar.block(block(source, list(range(20)))) for source in (RIGHT, other)}
    found: dict[str, list[sim_pb2.RunBlockResponse]] = {}
    order: list[str] = []

    def run(source: str) -> None:
        found[source] = []
        for part in sidecar.stub.RunBlock(block(source, list(range(20)))):
            if not part.HasField("heartbeat") and not part.HasField("timings"):
                found[source].append(part)
                order.append(source)

    threads = [threading.Thread(target=run, args=(source,)) for source in (RIGHT, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == expected


def test_a_stream_that_its_caller_leaves_stops_the_episode(sidecar: Sidecar) -> None:
    limits = rollout_pb2.PolicyLimits(
        action_cpu=Duration(seconds=600),
        episode_cpu=Duration(seconds=600),
        episode_wall=Duration(seconds=600),
    )
    stream = sidecar.stub.RunBlock(block(SPIN, [0, 1, 2], limits=limits))
    assert next(stream).HasField("heartbeat")
    waiting = sidecar.stub.RunBlock(block(SPIN, [5], limits=limits))
    stream.cancel()
    waiting.cancel()
    # Within the test's own time limit, which is far below what the policies may take.
    assert len(sidecar.episodes("NoiseWorld-0", RIGHT, [0])) == 1


def test_a_deadline_stops_the_episode(sidecar: Sidecar) -> None:
    limits = rollout_pb2.PolicyLimits(action_cpu=Duration(seconds=600), episode_cpu=Duration(seconds=600))
    with pytest.raises(grpc.RpcError) as caught:
        list(sidecar.stub.RunBlock(block(SPIN, [0], limits=limits), timeout=0.5))
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert len(sidecar.episodes("NoiseWorld-0", RIGHT, [0])) == 1


def test_a_warm_parent_that_dies_is_replaced(sidecar: Sidecar) -> None:
    limits = rollout_pb2.PolicyLimits(action_cpu=Duration(seconds=600), episode_cpu=Duration(seconds=600))
    stream = sidecar.stub.RunBlock(block(SPIN, [0], limits=limits))
    assert next(stream).HasField("heartbeat")
    _, warm_parent, _ = sidecar.descendants()
    os.kill(warm_parent, signal.SIGKILL)
    with pytest.raises(grpc.RpcError) as caught:
        list(stream)
    assert error_info(caught.value)[0] == "SIDECAR_DIED"
    assert len(sidecar.episodes("NoiseWorld-0", RIGHT, [0])) == 1


def test_a_worker_that_dies_is_replaced(sidecar: Sidecar) -> None:
    limits = rollout_pb2.PolicyLimits(action_cpu=Duration(seconds=600), episode_cpu=Duration(seconds=600))
    stream = sidecar.stub.RunBlock(block(SPIN, [0], limits=limits))
    assert next(stream).HasField("heartbeat")
    worker = sidecar.descendants()[0]
    os.kill(worker, signal.SIGKILL)
    with pytest.raises(grpc.RpcError) as caught:
        list(stream)
    assert error_info(caught.value)[0] == "SIMULATOR_FAILED"
    assert len(sidecar.episodes("NoiseWorld-0", RIGHT, [0])) == 1
    assert worker not in sidecar.descendants()
