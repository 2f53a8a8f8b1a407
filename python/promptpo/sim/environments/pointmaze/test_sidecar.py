# mypy: allow-untyped-defs, allow-untyped-calls
"""A policy as a model would write it, jailed in a real sidecar."""

import io
import textwrap
from types import SimpleNamespace
from typing import Any

import imageio_ffmpeg
import pytest

from promptpo.rollout.v1 import rollout_pb2
from promptpo.sim.environments.pointmaze.testing import bare
from promptpo.sim.environments.texts import texts
from promptpo.sim.server.testing import Sidecar
from promptpo.sim.v1 import sim_pb2

LARGE = "PointMaze_Large-v3"
MAP = texts(LARGE).observation.split("```\n")[1].split()

POLICY = textwrap.dedent(
    f"""
    import math
    from collections import deque

    import numpy as np

    MAP = {MAP!r}

    def cell(p):
        return math.floor(4.5 - p[1]), math.floor(p[0] + 5.0)

    def after(here, goal):
        seen, queue = {{goal: goal}}, deque([goal])
        while queue:
            row, column = at = queue.popleft()
            for there in ((row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)):
                if MAP[there[0]][there[1]] == "0" and there not in seen:
                    seen[there] = at
                    queue.append(there)
        return seen[here]

    class PointMazeLargePolicy:
        def act(self, obs):
            here, goal = cell(obs.achieved_goal), cell(obs.desired_goal)
            aim = obs.desired_goal
            if here != goal:
                row, column = after(here, goal)
                aim = np.array([column - 4.5, 4.0 - row])
            return np.float32(2.0 * (aim - obs.achieved_goal) - 0.8 * obs.observation_vector[2:])
    """
)


def bare_length(env, seed):
    """Steps until a bare gymnasium loop is done, and its return."""
    scope: dict[str, Any] = {}
    exec(POLICY, scope)
    policy, total, length = scope["PointMazeLargePolicy"](), 0.0, 0
    told, _ = env.reset(seed=seed)
    while True:
        obs = SimpleNamespace(
            observation_vector=told["observation"],
            desired_goal=told["desired_goal"],
            achieved_goal=told["achieved_goal"],
        )
        told, reward, terminated, truncated, _ = env.step(policy.act(obs))
        total, length = total + float(reward), length + 1
        if terminated or truncated:
            return length, total


def test_a_policy_that_has_read_the_text_succeeds_as_in_a_bare_loop(sidecar):
    results = sidecar.episodes(LARGE, POLICY, [4, 0, 1000, 7])
    env = bare(LARGE)
    for result in results:
        assert not result.HasField("error"), result.error
        assert (result.length, result.return_value) == bare_length(env, result.seed)
        assert result.success
        assert result.terminated
    assert len({result.length for result in results}) > 1
    env.close()


@pytest.fixture
def sidecar_without_opengl():
    with Sidecar({"MUJOCO_GL": "disable"}) as running:
        yield running


def test_a_video_needs_no_opengl(sidecar_without_opengl, tmp_path):
    episode = rollout_pb2.RenderEpisodeRequest(environment=LARGE, policy_source=POLICY, seed=0, stride=10)
    request = sim_pb2.RenderRequest(request=episode)
    video = io.BytesIO()
    for part in sidecar_without_opengl.stub.Render(request, timeout=100):
        video.write(part.data)
    path = tmp_path / "maze.mp4"
    path.write_bytes(video.getvalue())
    count, _ = imageio_ffmpeg.count_frames_and_secs(str(path))
    assert count > 5
