"""An environment of somebody's own, once it has been made and looked at: spec, texts, and how to make more.

Owns the looking: one object is made, its spaces become fields and texts, one step tells whether it reports
success. Refuses what has no horizon or spaces that are not offered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from promptpo.sim.environments.base import Environment, EnvironmentSpec, RewardKind, Selection
from promptpo.sim.environments.family import Texts
from promptpo.sim.environments.importing import importing_simulators
from promptpo.sim.environments.naming import policy_class
from promptpo.sim.environments.unknown import BrokenEnvironment
from promptpo.sim.environments.yours.derived_texts import derived_texts
from promptpo.sim.environments.yours.documentation import documentation
from promptpo.sim.environments.yours.spaces import Actions, Reader, actions, derived_readers
from promptpo.sim.environments.yours.task import SUCCESS_KEYS, GymnasiumTask, seed_everything

FAMILY_NAME = "yours"


@dataclass(frozen=True)
class Recipe:
    """How an environment is made, and what somebody has said of it (None: what it says itself)."""

    id: str
    make: Callable[[], Any]
    """A new gymnasium environment."""
    revision: Callable[[Any], str]
    """Of its code; asked with the first environment made."""
    horizon_hint: str
    """How a missing horizon is to be given."""
    unchanged: Callable[[], None] = field(default=lambda: None)
    """Raises once the code is no longer what was made from."""
    readers: Callable[[Any], tuple[Reader, ...]] | None = None
    """From the observation space."""
    horizon: int | None = None
    step_seconds: float | None = None
    policy_class: str | None = None
    success_key: str | None = None
    selection: Selection | None = None
    observation_text: str | None = None
    implementation_text: str | None = None
    reward_texts: Mapping[RewardKind, str] = field(default_factory=dict)
    default_reward: RewardKind | None = None


@dataclass(frozen=True)
class Known:
    """All of an environment that its id stands for, at one revision."""

    spec: EnvironmentSpec
    texts: Texts
    make: Callable[[], Environment]
    make_gym: Callable[[], Any]
    """The bare gymnasium environment, for those who step it themselves."""


def known(recipe: Recipe) -> Known:
    """Makes the environment once and looks at it. Raises BrokenEnvironment."""
    env = made(recipe)
    try:
        return _known(recipe, env)
    finally:
        env.close()


def made(recipe: Recipe) -> Any:  # noqa: ANN401
    """A new environment of the recipe. Raises BrokenEnvironment with the cause."""
    try:
        with importing_simulators():
            return recipe.make()
    except BrokenEnvironment:
        raise
    except (Exception, SystemExit) as error:
        raise BrokenEnvironment(f"{recipe.id}: cannot be made: {type(error).__name__}: {error}") from error


def _known(recipe: Recipe, env: Any) -> Known:  # noqa: ANN401
    readers = (
        derived_readers(recipe.id, env.observation_space)
        if recipe.readers is None
        else recipe.readers(env.observation_space)
    )
    acts = actions(recipe.id, env.action_space)
    keys = SUCCESS_KEYS if recipe.success_key is None else (recipe.success_key,)
    tells_success = recipe.success_key is not None or any(key in _first_info(recipe, env) for key in keys)
    kinds: tuple[RewardKind, ...] = tuple(recipe.reward_texts) or ("vague",)
    default_kind = recipe.default_reward or kinds[0]
    spec = EnvironmentSpec(
        id=recipe.id,
        family=FAMILY_NAME,
        variant="default",
        variants=("default",),
        horizon=_horizon(recipe, env),
        dt=recipe.step_seconds or _step_seconds(env),
        policy_class=recipe.policy_class or class_name(recipe.id),
        observation=tuple(reader.field for reader in readers),
        action=acts.space,
        selection=recipe.selection or ("mean_success" if tells_success else "mean_return"),
        reward_kinds=(default_kind, *(kind for kind in kinds if kind != default_kind)),
        default_reward_kind=default_kind,
        revision=recipe.revision(env),
    )
    recipe.unchanged()
    return Known(
        spec,
        _texts(recipe, spec, env, readers, acts),
        make=lambda: _task(recipe, spec, readers, acts, keys),
        make_gym=lambda: made(recipe),
    )


def _task(
    recipe: Recipe, spec: EnvironmentSpec, readers: tuple[Reader, ...], acts: Actions, keys: tuple[str, ...]
) -> Environment:
    recipe.unchanged()
    return GymnasiumTask(spec, made(recipe), readers, acts, keys, recipe.unchanged)


def _texts(
    recipe: Recipe,
    spec: EnvironmentSpec,
    env: Any,  # noqa: ANN401
    readers: tuple[Reader, ...],
    acts: Actions,
) -> Texts:
    threshold = None if env.spec is None else env.spec.reward_threshold
    derived = derived_texts(spec, readers, acts, documentation(type(env.unwrapped)), threshold)
    return Texts(
        observation=recipe.observation_text or derived.observation,
        implementation=recipe.implementation_text or derived.implementation,
        rewards=recipe.reward_texts or derived.rewards,
    )


def _horizon(recipe: Recipe, env: Any) -> int:  # noqa: ANN401
    limit = recipe.horizon or (None if env.spec is None else env.spec.max_episode_steps)
    if limit is None or limit < 1:
        raise BrokenEnvironment(
            f"{recipe.id}: has no limit of steps, so an episode might never end; {recipe.horizon_hint}"
        )
    return int(limit)


def _step_seconds(env: Any) -> float:  # noqa: ANN401
    """Simulated time where the environment tells it, else the time that its pictures stand for, else 1."""
    step_seconds = getattr(env.unwrapped, "dt", None)
    if isinstance(step_seconds, (int, float, np.floating)) and 0 < float(step_seconds) < float("inf"):
        return float(step_seconds)
    rate = (env.unwrapped.metadata or {}).get("render_fps")
    return 1.0 / float(rate) if isinstance(rate, (int, float)) and rate > 0 else 1.0


def _first_info(recipe: Recipe, env: Any) -> dict[str, Any]:  # noqa: ANN401
    """What `info` holds after one step. Also finds environments that do not keep gymnasium's interface."""
    try:
        seed_everything(env, 0)
        env.action_space.seed(0)
        env.reset(seed=0)
        _, _, _, _, info = env.step(env.action_space.sample())
    except (Exception, SystemExit) as error:
        raise BrokenEnvironment(f"{recipe.id}: cannot be stepped: {type(error).__name__}: {error}") from error
    return dict(info)


def class_name(id: str) -> str:  # noqa: A002 - the spec's own word
    """The policy class of an id in gymnasium's notation: without prefix, module, namespace and version."""
    name = re.split(r"[:/]", id)[-1]
    return policy_class(re.sub(r"[^\w-]+", "_", name))
