"""Feedback programs and videos through a real sidecar."""

from __future__ import annotations

import io

import numpy as np
import pytest

from promptpo.rollout.v1 import rollout_pb2
from promptpo.sim.server.test_server import RIGHT, block, kind
from promptpo.sim.server.testing import Sidecar
from promptpo.sim.v1 import sim_pb2

FEEDBACK = """
class Feedback:
    def summarize_trajectory(self, traj):
        return f"{len(traj)} steps, {sum(o.agent_col for o in traj)}"
"""


def test_summaries_of_simulated_and_of_recorded_episodes_agree(sidecar: Sidecar) -> None:
    parts = sidecar.block(block(RIGHT, [2, 0], capture=rollout_pb2.Capture(all=True)))
    trajectories = [part.trajectory for part in parts if part.HasField("trajectory")]
    lengths = [part.episode.length for part in parts if part.HasField("episode")]
    recorded = sidecar.stub.Summarize(
        sim_pb2.SummarizeRequest(
            environment="NoiseWorld-0", feedback_source=FEEDBACK, trajectories=trajectories
        )
    )
    simulated = sidecar.stub.Summarize(summarize(FEEDBACK, [2, 0]))
    assert [summary.seed for summary in simulated.summaries] == [2, 0]
    assert simulated.summaries == recorded.summaries
    assert simulated.summaries[0].text.startswith(f"{lengths[0]} steps, ")
    assert (simulated.step_count, recorded.step_count) == (sum(lengths), 0)


def summarize(feedback: str, seeds: list[int]) -> sim_pb2.SummarizeRequest:
    return sim_pb2.SummarizeRequest(
        environment="NoiseWorld-0",
        feedback_source=feedback,
        resimulation=rollout_pb2.Resimulation(policy_source=RIGHT, seeds=seeds),
    )


def test_a_feedback_program_that_fails_is_a_result(sidecar: Sidecar) -> None:
    feedback = FEEDBACK.replace("return", "return 1 if len(traj) < 25 else")
    answer = sidecar.stub.Summarize(summarize(feedback + "    pass\n    nonsense(", [0]))
    assert kind(answer.summaries[0].error) == "SYNTAX"
    answer = sidecar.stub.Summarize(summarize(FEEDBACK.replace("return f", "return len(traj), f"), [0, 1]))
    assert [kind(summary.error) for summary in answer.summaries] == ["BAD_SUMMARY", "BAD_SUMMARY"]
    assert [summary.text for summary in answer.summaries] == ["", ""]


def npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


def npz(**arrays: object) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


@pytest.mark.parametrize("bytes_", [b"", b"PK\x03\x04 nothing", npy(), npz(board=np.zeros((2, 25)))])
def test_bytes_that_are_no_trajectory(sidecar: Sidecar, bytes_: bytes) -> None:
    request = sim_pb2.SummarizeRequest(
        environment="NoiseWorld-0",
        feedback_source=FEEDBACK,
        trajectories=[sim_pb2.Trajectory(seed=0, npz=bytes_)],
    )
    reason, details = sidecar.failure(lambda: sidecar.stub.Summarize(request))
    assert (reason, details["field"]) == ("INVALID_ARGUMENT", "trajectories[0].npz")


def test_a_video_of_an_episode(sidecar: Sidecar) -> None:
    request = rollout_pb2.RenderEpisodeRequest(
        environment="NoiseWorld-0", policy_source=RIGHT, seed=1, stride=5, height=120
    )
    parts = [
        p for p in sidecar.stub.Render(sim_pb2.RenderRequest(request=request)) if not p.HasField("heartbeat")
    ]
    video = b"".join(part.data for part in parts[:-1])
    assert video[4:8] == b"ftyp"
    summary = parts[-1].summary
    assert [summary.episode] == sidecar.episodes("NoiseWorld-0", RIGHT, [1])
    assert summary.frame_count == 1 + -(-summary.episode.length // 5)


def test_a_video_of_a_simulator_or_why_there_is_none(sidecar: Sidecar) -> None:
    still = "class HopperPolicy:\n    def act(self, obs):\n        return [0.0, 0.0, 0.0]\n"
    request = rollout_pb2.RenderEpisodeRequest(
        environment="Hopper-v5", policy_source=still, seed=0, stride=1000
    )
    if sidecar.stub.Handshake(sim_pb2.HandshakeRequest()).can_render:
        *_, last = sidecar.stub.Render(sim_pb2.RenderRequest(request=request))
        assert last.summary.frame_count == 2  # the first state and the last
        assert [last.summary.episode] == sidecar.episodes("Hopper-v5", still, [0])
    else:
        reason, _ = sidecar.failure(lambda: list(sidecar.stub.Render(sim_pb2.RenderRequest(request=request))))
        assert reason == "RENDERING_UNAVAILABLE"


def test_a_video_of_a_policy_that_does_not_start(sidecar: Sidecar) -> None:
    request = rollout_pb2.RenderEpisodeRequest(environment="NoiseWorld-0", policy_source="x = 1", seed=0)
    (part,) = sidecar.stub.Render(sim_pb2.RenderRequest(request=request))
    assert kind(part.summary.episode.error) == "NO_CLASS"
    assert part.summary.frame_count == 0
