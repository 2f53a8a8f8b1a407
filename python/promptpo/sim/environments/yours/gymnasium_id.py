"""`gym:<id>`: any environment that the installed gymnasium knows; `gym:module:<id>` of an installed module.

Owns the notation. Imports the module first, as gymnasium does; refuses the standard library's, which
registers nothing.
"""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Mapping
from typing import Any, Final

from promptpo.sim.environments.importing import importing_simulators
from promptpo.sim.environments.unknown import BrokenEnvironment, UnknownEnvironment
from promptpo.sim.environments.yours.known import Recipe
from promptpo.sim.environments.yours.revision import environment_revision

PREFIX: Final = "gym:"


def gymnasium_recipe(id: str) -> Recipe:  # noqa: A002 - the spec's own word
    """Of a whole id, prefix included. Raises UnknownEnvironment, BrokenEnvironment."""
    name = id.removeprefix(PREFIX)
    rest = registered(id, name)
    return Recipe(
        id=id,
        make=lambda: make(rest, {}, None),
        revision=environment_revision,
        horizon_hint=f'set horizon in an environment.toml with env = "{name}"',
    )


def make(env: Any, arguments: Mapping[str, Any], horizon: int | None) -> Any:  # noqa: ANN401
    """`gymnasium.make` of an id or an EnvSpec, able to draw if it can; `horizon` replaces its own limit."""
    import gymnasium

    spec = gymnasium.spec(env) if isinstance(env, str) else env
    # The checker only warns, and the values are the same without it.
    chosen = {"disable_env_checker": True, **arguments}
    if horizon is not None:
        chosen["max_episode_steps"] = horizon
    if _draws(spec):
        try:
            return gymnasium.make(spec, render_mode="rgb_array", **chosen)
        except Exception:
            # What draws may be missing, or the argument itself: an episode needs neither.
            return gymnasium.make(spec, **chosen)
    return gymnasium.make(spec, **chosen)


def _draws(spec: Any) -> bool:  # noqa: ANN401
    """Whether it may give pictures as arrays: it says so, or does not say."""
    from gymnasium.envs.registration import load_env_creator

    creator = load_env_creator(spec.entry_point) if isinstance(spec.entry_point, str) else spec.entry_point
    metadata = getattr(creator, "metadata", None)
    return metadata is None or "rgb_array" in metadata.get("render_modes", ())


def registered(id: str, name: str) -> str:  # noqa: A002
    """Imports the module of "module:Id-v0" and looks the rest up, which is returned.

    `id` is what errors call it. Raises UnknownEnvironment, BrokenEnvironment.
    """
    with importing_simulators():
        import gymnasium

        module, colon, rest = name.rpartition(":")
        if colon:
            _import(id, module)
    try:
        gymnasium.spec(rest)
    except gymnasium.error.Error as error:
        prefix = id.removesuffix(rest)
        close = difflib.get_close_matches(rest, gymnasium.registry, n=3, cutoff=0.5)
        raise UnknownEnvironment(id, tuple(prefix + each for each in close)) from error
    return rest


def _import(id: str, module: str) -> None:  # noqa: A002
    if module.partition(".")[0] in sys.stdlib_module_names:
        raise BrokenEnvironment(f"{id}: {module} is a module of the standard library and has no environments")
    try:
        importlib.import_module(module)
    except (Exception, SystemExit) as error:
        raise BrokenEnvironment(f"{id}: the module {module} cannot be imported: {error}") from error
