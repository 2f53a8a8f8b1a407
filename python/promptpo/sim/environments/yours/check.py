"""Tries an environment before anybody relies on it: are its episodes functions of their seeds, do its texts
name what there is, is its reward source true?

Owns the trials and what is said of them. Refuses nothing: it lists problems.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from promptpo.sim.environments import registry
from promptpo.sim.environments.base import Environment, EnvironmentSpec, Observation
from promptpo.sim.environments.texts import Texts, texts

STEPS: Final = 300
"""Of an episode, at most: what goes wrong goes wrong early, or not in a trial."""

SEEDS: Final = (0, 1, 2)


def problems(id: str) -> list[str]:  # noqa: A002 - the spec's own word
    """What is wrong with an environment; empty where nothing was found. Raises as `registry.make` does."""
    environment, fresh = registry.make(id), registry.make(id)
    try:
        found = list(_inexact(environment, fresh))
        told = texts(id)
        found += _unsaid(environment.spec, told)
        source = told.rewards.get("source")
        return found + (list(_wrong_reward(environment, source)) if source is not None else [])
    finally:
        environment.close()
        fresh.close()


def _inexact(environment: Environment, fresh: Environment) -> Iterator[str]:
    first = {seed: _bytes(environment, seed) for seed in SEEDS}
    for seed in reversed(SEEDS):
        if _bytes(environment, seed) != first[seed]:
            yield (
                f"the episode of seed {seed} is another one after other episodes: something survives reset, "
                "or is drawn from a generator that reset does not seed (gymnasium's own is self.np_random)"
            )
            return
    if _bytes(fresh, SEEDS[-1]) != first[SEEDS[-1]]:
        yield "a new object gives another episode for the same seed: its constructor draws something"


def _unsaid(spec: EnvironmentSpec, told: Texts) -> Iterator[str]:
    fields = {field.name for field in spec.observation}
    for name in sorted(fields - set(re.findall(r"\bobs\.(\w+)", told.observation))):
        yield f"the observation text says nothing of obs.{name}"
    everything = "\n".join((told.observation, told.implementation, *told.rewards.values()))
    for name in sorted(set(re.findall(r"\bobs\.(\w+)", everything)) - fields):
        yield f"the texts speak of obs.{name}, which there is not"


def _wrong_reward(environment: Environment, source: str) -> Iterator[str]:
    scope: dict[str, Any] = {}
    exec(compile(source, "reward", "exec"), scope)
    reward: Callable[..., Any] | None = scope.get("reward")
    if not callable(reward):
        yield "the reward text of kind source defines no function reward(obs, action, next_obs)"
        return
    for seed in SEEDS:
        seen = _named(environment.spec, environment.reset(seed))
        for action in _actions(environment.spec, seed):
            step = environment.step(action)
            after = _named(environment.spec, step.observation)
            told = float(reward(seen, action, after))
            if not np.isclose(told, step.reward, rtol=1e-9, atol=1e-9):
                yield (
                    f"the reward source says {told!r} where the environment gives {step.reward!r} "
                    f"(seed {seed})"
                )
                return
            seen = after
            if step.terminated or step.truncated:
                break


def _bytes(environment: Environment, seed: int) -> bytes:
    seen = b"".join(field.tobytes() for field in environment.reset(seed))
    for action in _actions(environment.spec, 0):
        step = environment.step(action)
        seen += b"".join(field.tobytes() for field in step.observation)
        seen += np.array((step.reward, step.terminated, step.truncated, step.success), np.float64).tobytes()
        if step.terminated or step.truncated:
            break
    return seen


def _actions(spec: EnvironmentSpec, seed: int) -> Iterator[Any]:
    rng = np.random.default_rng(seed)
    low, high = (np.clip(np.array(bound), -1e3, 1e3) for bound in (spec.action.low, spec.action.high))
    for _ in range(min(STEPS, spec.horizon)):
        if spec.action.kind == "discrete":
            yield int(rng.integers(spec.action.n))
        else:
            yield rng.uniform(low, high).astype(spec.action.dtype).reshape(spec.action.shape)


def _named(spec: EnvironmentSpec, observation: Observation) -> types.SimpleNamespace:
    values = (array.item() if array.shape == () else array for array in observation)
    names = (field.name for field in spec.observation)
    return types.SimpleNamespace(**dict(zip(names, values, strict=True)))
