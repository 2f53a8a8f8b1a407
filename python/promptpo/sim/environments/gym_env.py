"""Environments as a gymnasium user knows them, for sessions: what a baseline steps.

Owns `make_gym`: gymnasium's own environments as `gymnasium.make` gives them (time limit included, the checker
left out), ours wrapped with their definition of an episode. A family may build its own by a method
`gym(spec, options)`. Refuses arguments that name files of this machine.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from promptpo.sim import rendering
from promptpo.sim.environments import registry
from promptpo.sim.environments.base import ActionSpace, Environment, EnvironmentSpec, Field, Observation
from promptpo.sim.environments.importing import importing_simulators
from promptpo.sim.environments.registry import UnknownVariant
from promptpo.sim.environments.yours.gymnasium_id import registered
from promptpo.sim.rendering import RenderingUnavailable

with importing_simulators():
    import gymnasium
    from gymnasium import spaces
    from gymnasium.envs.registration import load_env_creator

Options: TypeAlias = Mapping[str, Any]
"""Keyword arguments of the environment: JSON values, whole numbers as int."""

GYM_PREFIX: Final = "gym:"
"""Before the id of an installed gymnasium environment."""

_OURS: Final = frozenset({"id", "render_mode", "disable_env_checker"})
"""Arguments of `gymnasium.make` that are not the caller's to choose."""

_UNEXPECTED: Final = re.compile(r"unexpected keyword argument '(\w+)'")
_SEEDS: Final = 2**32


class BadOption(ValueError):
    """A keyword argument that the environment does not take, or not with this value. The caller's fault."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(problem)
        self.name = name
        """The argument; "" where only all of them together are known to be wrong."""


def make_gym(id: str, variant: str = "", options: Options | None = None) -> gymnasium.Env[Any, Any]:  # noqa: A002
    """Builds an environment; the caller closes it. Raises UnknownEnvironment, UnknownVariant, BadOption,
    BrokenEnvironment."""
    chosen = {} if options is None else options
    if id.startswith(GYM_PREFIX):
        return _installed(id, variant, chosen)
    family, spec = registry.family_of(id, variant or None)
    build = cast(
        "Callable[[EnvironmentSpec, Options], gymnasium.Env[Any, Any]] | None", getattr(family, "gym", None)
    )
    if build is not None:
        return _built(lambda: build(spec, chosen), chosen)
    for name in chosen:
        raise BadOption(name, f"{spec.id} takes no options")
    return SteppedEnv(registry.make(spec.id, spec.variant))


def gymnasium_env(id: str, options: Options) -> gymnasium.Env[Any, Any]:  # noqa: A002
    """`gymnasium.make(id, **options)` without the checker, drawing arrays if it can. Raises BadOption."""
    for name, value in options.items():
        if name in _OURS:
            raise BadOption(name, "is chosen by the sidecar")
        if _names_a_file(value):
            raise BadOption(name, f"{value!r} names a file; files of the sidecar's machine are not offered")
    with importing_simulators():
        entry_point = gymnasium.spec(id).entry_point
        creator = load_env_creator(entry_point) if isinstance(entry_point, str) else entry_point
        metadata = getattr(creator, "metadata", None)
        modes = metadata.get("render_modes", ()) if isinstance(metadata, Mapping) else ()
        mode = {"render_mode": "rgb_array"} if "rgb_array" in modes else {}
        return _built(
            lambda: gymnasium.make(id, disable_env_checker=True, **mode, **options),
            options,
        )


def _installed(id: str, variant: str, options: Options) -> gymnasium.Env[Any, Any]:  # noqa: A002
    if variant not in ("", "default"):
        raise UnknownVariant(id, variant, ("default",))
    return gymnasium_env(registered(id, id.removeprefix(GYM_PREFIX)), options)


def picture(env: gymnasium.Env[Any, Any]) -> npt.NDArray[np.uint8]:
    """The present state, `(height, width, 3)` uint8. Raises RenderingUnavailable."""
    if env.render_mode != "rgb_array":
        raise RenderingUnavailable("this environment does not draw itself")
    try:
        if hasattr(env.unwrapped, "mujoco_renderer"):
            return rendering.draw(env.render)
        return np.array(env.render(), dtype=np.uint8, order="C")
    except gymnasium.error.DependencyNotInstalled as error:
        raise RenderingUnavailable(str(error)) from error


class SteppedEnv(gymnasium.Env[Any, Any]):  # type: ignore[misc]  # it ships no types
    """One of our environments behind gymnasium's interface.

    `reset(seed=s)` begins our episode of `s`; without a seed the next one is drawn from a generator that the
    last given seed began. `info["success"]` is success at that step. An environment with one field of
    observation gives the array itself, the others a dict by field.
    """

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        fields = environment.spec.observation
        self._names = None if len(fields) == 1 else tuple(field.name for field in fields)
        self.metadata = {"render_modes": ["rgb_array"], "render_fps": _fps(environment.spec)}
        self.render_mode = "rgb_array"
        self.action_space = _action_space(environment.spec.action)
        self.observation_space = (
            _field_space(fields[0])
            if self._names is None
            else spaces.Dict({field.name: _field_space(field) for field in fields})
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begins an episode; `options` are not used."""
        super().reset(seed=seed, options=options)
        episode = int(self.np_random.integers(_SEEDS)) if seed is None else seed
        return self._shown(self._environment.reset(episode)), {"success": False}

    def step(self, action: object) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """One step with the action as it is."""
        step = self._environment.step(action)
        observation = self._shown(step.observation)
        return observation, step.reward, step.terminated, step.truncated, {"success": step.success}

    def render(self) -> Any:  # noqa: ANN401 - gymnasium's own word for a frame is wider than ours
        """The present state as an array."""
        return self._environment.render()

    def close(self) -> None:
        """Frees the simulator; may be called twice."""
        self._environment.close()

    def _shown(self, observation: Observation) -> Any:  # noqa: ANN401 - an array or a dict of arrays
        # Copied: an environment may show views into what its next step writes.
        if self._names is None:
            return observation[0].copy()
        return {name: array.copy() for name, array in zip(self._names, observation, strict=True)}


def _built(build: Callable[[], gymnasium.Env[Any, Any]], options: Options) -> gymnasium.Env[Any, Any]:
    """What `build` makes; an error that options can have caused is the caller's."""
    try:
        return build()
    except BadOption:
        raise
    except Exception as error:
        if not options:
            raise
        unexpected = _UNEXPECTED.search(str(error))
        if unexpected is not None and unexpected[1] in options:
            raise BadOption(unexpected[1], "the environment does not take it") from error
        if isinstance(error, OSError):
            raise BadOption("", "a file that they name is not among the environment's own") from error
        text = str(error).partition(" was raised from the environment creator")[0]
        raise BadOption(
            "", f"the environment cannot be made with them: {type(error).__name__}: {text}"
        ) from error


def _names_a_file(value: object) -> bool:
    if isinstance(value, str):
        return "/" in value or "\\" in value or value.startswith((".", "~"))
    if isinstance(value, Mapping):
        return any(map(_names_a_file, value.values()))
    return isinstance(value, list) and any(map(_names_a_file, value))


def _fps(spec: EnvironmentSpec) -> int:
    return max(1, round(1 / spec.dt))


def _field_space(field: Field) -> spaces.Box:
    dtype = np.dtype(field.dtype)
    if dtype.kind == "f":
        return spaces.Box(-np.inf, np.inf, field.shape, dtype.type)
    limits = np.iinfo(dtype)
    return spaces.Box(int(limits.min), int(limits.max), field.shape, dtype.type)


def _action_space(action: ActionSpace) -> gymnasium.Space[Any]:
    if action.kind == "discrete":
        return spaces.Discrete(action.n)
    dtype = np.dtype(action.dtype)
    low, high = (np.array(bound, dtype).reshape(action.shape) for bound in (action.low, action.high))
    return spaces.Box(low, high, action.shape, dtype.type)
