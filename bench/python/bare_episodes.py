"""The bare loop: `bare_episodes.py ENVIRONMENT POLICY_FILE EPISODES [--pinned]`.

One process, one environment, a new policy object an episode, nothing between policy and simulator.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from time import perf_counter
from types import SimpleNamespace
from typing import Any

from bare_environments import Bare, bare
from serving import Measurement, pin_to_one_core, serve


class Vector:
    """The observation object with the one field that these policies read."""

    __slots__ = ("obs_vector",)

    def __init__(self, vector: object) -> None:
        self.obs_vector = vector


class Fields(SimpleNamespace):
    """The observation object of NoiseWorld's boards without keys."""

    def __init__(self, fields: Any) -> None:  # noqa: ANN401 - arrays
        names = ("agent_row", "agent_col", "goal_row", "goal_col", "board")
        super().__init__(**dict(zip(names, fields, strict=True)))


def episode(env: Bare, policy_class: type[Any], observed: type[Any], seed: int) -> tuple[float, int]:
    """Return and length of the episode of `seed`."""
    policy = policy_class()
    observation = env.reset(seed)
    step, act = env.step, policy.act
    total, length = 0.0, 0
    while True:
        observation, reward, terminated, truncated, _ = step(act(observed(observation)))
        total += reward
        length += 1
        if terminated or truncated:
            return float(total), length


def main() -> None:
    """See the top of the file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("environment")
    parser.add_argument("policy", type=Path)
    parser.add_argument("episodes", type=int)
    parser.add_argument("--pinned", action="store_true")
    given = parser.parse_args()
    if given.pinned:
        pin_to_one_core()
    env = bare(given.environment)
    policy_class = _policy_class(given.policy)
    observed = Fields if given.environment.startswith("NoiseWorld") else Vector

    def measure(_round: int) -> Measurement:
        begun = perf_counter()
        played = [episode(env, policy_class, observed, seed) for seed in range(given.episodes)]
        seconds = perf_counter() - begun
        return Measurement(
            seconds, sum(length for _, length in played), [total for total, _ in played], given.episodes
        )

    serve(measure)


def _policy_class(file: Path) -> type[Any]:
    names: dict[str, Any] = {}
    exec(compile(file.read_text(), file, "exec"), names)  # our own file beside this one
    (found,) = (value for name, value in names.items() if name.endswith("Policy"))
    chosen: type[Any] = found
    return chosen


if __name__ == "__main__":
    main()
