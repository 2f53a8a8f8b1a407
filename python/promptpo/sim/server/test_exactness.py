"""Episodes through the sidecar equal a bare loop's bit for bit, in any order, in blocks of any size."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import gymnasium
import metaworld
import numpy as np
import pytest

from promptpo.sim.environments import registry
from promptpo.sim.server.testing import Sidecar
from promptpo.types.v1 import types_pb2

LINEAR = textwrap.dedent(
    """
    import numpy as np

    class {name}:
        def __init__(self):
            self.weights = np.random.default_rng(3).normal(size=({n}, {inputs}))
            self.steps = 0

        def act(self, obs):
            self.steps += 1
            action = np.tanh(self.weights @ obs.obs_vector) * 1.2 + 0.1 * np.sin(self.steps)
            return action.astype(np.{dtype})
    """
)
BUTTON = textwrap.dedent(
    """
    import numpy as np

    class ButtonPressPolicy:
        def act(self, obs):
            hand, button = obs.obs_vector[:3], obs.obs_vector[4:7]
            aim = button + np.array([0.0, -0.08, 0.0]) if abs(hand[0] - button[0]) > 0.02 else button
            move = 10.0 * (aim - hand)
            return [move[0], move[1], move[2], 0.0]
    """
)
GRID = textwrap.dedent(
    """
    import numpy as np

    class NoiseWorldPolicy:
        def __init__(self):
            self.seen = []

        def act(self, obs):
            self.seen.append((obs.agent_row, obs.agent_col))
            return 1 if len(set(self.seen)) % 3 and obs.agent_row < 1 else np.int64(3)
    """
)

Run = tuple[float, int, bool]
"""Return, length, success."""


def bare_gymnasium(id: str) -> Callable[[str, int], Run]:  # noqa: A002
    environment = gymnasium.make(id)

    def run(source: str, seed: int) -> Run:
        policy = made(source)
        vector, _ = environment.reset(seed=seed)
        total, length = 0.0, 0
        while True:
            action = policy.act(SimpleNamespace(obs_vector=vector))
            vector, reward, terminated, truncated, _ = environment.step(action)
            total += float(reward)
            length += 1
            if terminated or truncated:
                return total, length, False

    return run


def bare_metaworld(name: str) -> Callable[[str, int], Run]:
    environment: Any = metaworld.env_dict.ALL_V3_ENVIRONMENTS[name]()
    environment._partially_observable = False
    environment.__dict__.pop("sawyer_observation_space", None)
    environment._set_task_called = True

    def run(source: str, seed: int) -> Run:
        policy = made(source)
        environment._freeze_rand_vec = False
        environment.seeded_rand_vec = True
        environment.seed(seed)
        vector, _ = environment.reset()
        total, success = 0.0, False
        for _ in range(500):
            action = np.asarray(policy.act(SimpleNamespace(obs_vector=vector)))
            vector, reward, _, _, info = environment.step(action)
            total += float(reward)
            success = success or bool(info["success"])
        return total, 500, success

    return run


def bare_noiseworld(id: str) -> Callable[[str, int], Run]:  # noqa: A002
    environment = registry.make(id)
    names = [field.name for field in environment.spec.observation]

    def run(source: str, seed: int) -> Run:
        policy = made(source)
        observation = environment.reset(seed)
        total, length, success = 0.0, 0, False
        while True:
            values = [value if value.ndim else value.item() for value in observation]
            seen = SimpleNamespace(**dict(zip(names, values, strict=True)))
            step = environment.step(policy.act(seen))
            observation, total, length = step.observation, total + step.reward, length + 1
            success = success or step.success
            if step.terminated or step.truncated:
                return total, length, success

    return run


def made(source: str) -> Any:
    namespace: dict[str, Any] = {"__name__": "bare"}
    exec(source, namespace)
    return next(v for v in namespace.values() if isinstance(v, type))()


def linear(name: str, n: int, inputs: int, dtype: str = "float64") -> str:
    return LINEAR.format(name=name, n=n, inputs=inputs, dtype=dtype)


CASES = {
    "float64": (bare_gymnasium, "HalfCheetah-v5", linear("HalfCheetahPolicy", 6, 17)),
    "float32": (bare_gymnasium, "HalfCheetah-v5", linear("HalfCheetahPolicy", 6, 17, "float32")),
    "Hopper": (bare_gymnasium, "Hopper-v5", linear("HopperPolicy", 3, 11)),
    "button-press": (bare_metaworld, "button-press-v3", BUTTON),
    "NoiseWorld": (bare_noiseworld, "NoiseWorld-1", GRID),
}


@pytest.mark.parametrize("case", CASES)
def test_an_episode_equals_the_bare_loop(sidecar: Sidecar, case: str) -> None:
    bare_loop, environment, source = CASES[case]
    bare = bare_loop(environment)
    seeds = [0, 7, 2**32 - 1]
    expected = {seed: bare(source, seed) for seed in seeds}

    def as_run(episode: types_pb2.EpisodeResult) -> Run:
        assert not episode.HasField("error"), episode.error
        return episode.return_value, episode.length, episode.success

    whole = sidecar.episodes(environment, source, seeds)
    assert [episode.seed for episode in whole] == seeds
    assert {episode.seed: as_run(episode) for episode in whole} == expected
    # Backwards, in blocks of one and two, behind a policy that fails in the middle of an episode.
    failing = source.replace(
        "def act(self, obs):", "def act(self, obs):\n        1 / (getattr(self, 'steps', 5) - 5)"
    )
    for block in ([seeds[2], seeds[1]], [seeds[0]]):
        sidecar.episodes(environment, failing, [5])
        for episode in sidecar.episodes(environment, source, block):
            assert as_run(episode) == expected[episode.seed]


def test_the_bare_loops_differ_by_dtype_so_that_the_dtype_must_be_carried() -> None:
    bare = bare_gymnasium("HalfCheetah-v5")
    _, _, wide = CASES["float64"]
    _, _, narrow = CASES["float32"]
    assert bare(wide, 0) != bare(narrow, 0)
