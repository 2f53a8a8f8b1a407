"""Environments of others through a real sidecar: asked for by id, run in the jail, edited, broken."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
import pytest

from promptpo.rollout.v1 import rollout_pb2
from promptpo.sim.environments.yours.testing import COUNTER, EXAMPLES, counter_folder
from promptpo.sim.server.testing import Sidecar
from promptpo.sim.v1 import sim_pb2

BANG_BANG = (EXAMPLES / "bang_bang.py").read_text()
CART_POLE = (EXAMPLES / "cart_pole.py").read_text()

COUNT = """
class CounterPolicy:
    def act(self, obs):
        return 1
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return counter_folder(tmp_path_factory.mktemp("environments") / "counter")


@pytest.fixture(scope="module")
def sidecar(folder: Path) -> Iterator[Sidecar]:
    broken = counter_folder(folder.parent / "broken", "horizon = 'long'")
    (broken / "environment.toml").write_text('id = "broken"\nentry_point = "env:Counter"\nhorizon = "long"\n')
    named = os.pathsep.join((str(folder.parent), str(EXAMPLES)))
    with Sidecar({"PROMPTPO_ENVIRONMENTS": named}) as started:
        yield started


def described(sidecar: Sidecar, environment: str, variant: str = "") -> sim_pb2.DescribeEnvironmentResponse:
    request = sim_pb2.DescribeEnvironmentRequest(environment=environment, variant=variant)
    return sidecar.stub.DescribeEnvironment(request, timeout=60)


def test_the_handshake_lists_what_works(sidecar: Sidecar) -> None:
    listed = {each.id: each for each in sidecar.stub.Handshake(sim_pb2.HandshakeRequest()).environments}
    assert {"counter", "docking", "HalfCheetah-v5"} <= set(listed)
    assert "broken" not in listed
    assert listed["docking"].revision.startswith("sha256:")
    assert listed["HalfCheetah-v5"].revision == ""
    assert described(sidecar, "docking").environment == listed["docking"]
    assert described(sidecar, "NoiseWorld-4", "key_info").environment == listed["NoiseWorld-4"]


def test_an_installed_id_is_described_and_run(sidecar: Sidecar) -> None:
    found = described(sidecar, "gym:CartPole-v1").environment
    assert (found.family, found.policy_class, found.horizon) == ("yours", "CartPolePolicy", 500)
    assert found.revision.startswith("gymnasium==")
    episodes = sidecar.episodes("gym:CartPole-v1", CART_POLE, [0, 1, 2])
    assert [(each.return_value, each.length, each.truncated) for each in episodes] == [(500.0, 500, True)] * 3


def test_the_example_is_run_and_its_episodes_do_not_depend_on_what_came_before(sidecar: Sidecar) -> None:
    forwards = sidecar.episodes("docking", BANG_BANG, [0, 1, 2, 3])
    backwards = sidecar.episodes("docking", BANG_BANG, [3, 2, 1, 0])
    assert forwards == backwards[::-1]
    assert all(each.success and each.terminated for each in forwards)
    assert len({each.return_value for each in forwards}) == 4


def test_what_is_unknown_or_broken_says_so(sidecar: Sidecar) -> None:
    reason, metadata = sidecar.failure(lambda: described(sidecar, "gym:CartPol-v1"))
    assert (reason, metadata["nearest"].split(",")[0]) == ("UNKNOWN_ENVIRONMENT", "gym:CartPole-v1")
    assert sidecar.failure(lambda: described(sidecar, "dockin"))[0] == "UNKNOWN_ENVIRONMENT"
    assert sidecar.failure(lambda: described(sidecar, "docking", "hard"))[0] == "UNKNOWN_VARIANT"
    for name in ("broken", "gym:Blackjack-v1"):
        reason, metadata = sidecar.failure(lambda: sidecar.episodes(name, COUNT, [0]))  # noqa: B023
        assert (reason, metadata["field"]) == ("INVALID_ARGUMENT", "environment")


def test_a_revision_that_is_named_is_the_one_that_runs(sidecar: Sidecar, folder: Path) -> None:
    first = described(sidecar, "counter").environment.revision
    assert sidecar.episodes(f"counter@{first}", COUNT, [0])[0].length == 9
    (folder / "env.py").write_text(COUNTER.replace("BY = 1", "BY = 500"))
    second = described(sidecar, "counter").environment.revision
    assert second != first
    reason, metadata = sidecar.failure(lambda: sidecar.episodes(f"counter@{first}", COUNT, [0]))
    assert (reason, metadata["revision"]) == ("CONFLICT", second)
    assert sidecar.episodes(f"counter@{second}", COUNT, [0])[0].length == 2
    assert sidecar.episodes("counter", COUNT, [0])[0].length == 2
    (folder / "env.py").write_text(COUNTER)
    assert sidecar.episodes(f"counter@{first}", COUNT, [0])[0].length == 9


def test_a_policy_finds_nothing_of_the_environments_code(sidecar: Sidecar) -> None:
    source = """
import os
import sys

class DockingPolicy:
    def act(self, obs):
        words = ("docking", "gymnasium", "environment")
        found = [name for name in sys.modules if any(word in name for word in words)]
        found += [name for name in os.environ if "ENVIRONMENT" in name]
        for name in ("docking", "picture", "gymnasium"):
            try:
                __import__(name)
            except ImportError:
                continue
            found.append(name)
        raise RuntimeError(f"found {found}")
"""
    (episode,) = sidecar.episodes("docking", source, [0])
    assert episode.error.message == "RuntimeError: found []"


def test_the_example_draws_itself_and_an_environment_that_cannot_says_why(sidecar: Sidecar) -> None:
    def video(environment: str, source: str) -> list[sim_pb2.RenderResponse]:
        asked = rollout_pb2.RenderEpisodeRequest(environment=environment, policy_source=source, stride=20)
        return list(sidecar.stub.Render(sim_pb2.RenderRequest(request=asked), timeout=60))

    parts = video("docking", BANG_BANG)
    assert b"".join(part.data for part in parts)[4:8] == b"ftyp"
    assert parts[-1].summary.episode == sidecar.episodes("docking", BANG_BANG, [0])[0]
    if find_spec("pygame") is None:
        reason, _ = sidecar.failure(lambda: video("gym:CartPole-v1", CART_POLE))
        assert reason == "RENDERING_UNAVAILABLE"


def test_a_return_is_that_of_a_bare_loop_to_the_last_bit(sidecar: Sidecar) -> None:
    source = """
import numpy as np

class PendulumPolicy:
    def act(self, obs):
        cosine, sine, turning = obs.obs_vector
        return np.array([np.tanh(3.0 * sine - turning * np.sign(cosine))])
"""
    scope: dict[str, Any] = {}
    exec(source, scope)
    policy = scope["PendulumPolicy"]()
    for episode in sidecar.episodes("gym:Pendulum-v1", source, [0, 7]):
        env = gymnasium.make("Pendulum-v1")
        vector, _ = env.reset(seed=episode.seed)
        total, over = 0.0, False
        while not over:
            seen = SimpleNamespace(obs_vector=vector.astype(np.float64))
            vector, reward, terminated, truncated, _ = env.step(policy.act(seen))
            total += float(reward)
            over = terminated or truncated
        env.close()
        assert episode.return_value == total
