"""Making environments of the fleet, by function and through gymnasium's registry.

Importing `promptpo.client` registers the environments that come with the fleet under `promptpo/`, such as
`promptpo/HalfCheetah-v5`. gymnasium's registry knows no namespaces with any id, so others have two ways:
`register(ids)` (or `register_all(rollout=...)`, which asks the service) before, or `promptpo/Any-v0` with
`environment="gym:ALE/Pong-v5"`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, Unpack

import gymnasium
from gymnasium.vector import AutoresetMode

from promptpo.client.known_ids import KNOWN_IDS

if TYPE_CHECKING:
    from promptpo.client.env import FleetEnv
    from promptpo.client.env_session import SessionSettings
    from promptpo.client.vector_env import FleetVectorEnv

NAMESPACE: Final = "promptpo"
ANY: Final = f"{NAMESPACE}/Any-v0"
_SETTINGS: Final = frozenset(
    {"rollout", "token", "tls", "variant", "options", "lease_s", "renew", "transport", "patience_s"}
)


def make(
    environment: str,
    *,
    seed: int | None = None,
    render_mode: Literal["rgb_array"] | None = None,
    **settings: Unpack[SessionSettings],
) -> FleetEnv:
    """One environment, by its id in the fleet ("HalfCheetah-v5", "gym:CartPole-v1")."""
    from promptpo.client.env import FleetEnv

    return FleetEnv(environment, seed=seed, render_mode=render_mode, **settings)


def make_vec(
    environment: str,
    num_envs: int = 1,
    *,
    seed: int | Sequence[int] | None = None,
    autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    batch_size: int | None = None,
    render_mode: Literal["rgb_array"] | None = "rgb_array",
    **settings: Unpack[SessionSettings],
) -> FleetVectorEnv:
    """`num_envs` environments, by their id in the fleet; see FleetVectorEnv."""
    from promptpo.client.vector_env import FleetVectorEnv

    return FleetVectorEnv(
        environment,
        num_envs,
        seed=seed,
        autoreset_mode=autoreset_mode,
        batch_size=batch_size,
        render_mode=render_mode,
        **settings,
    )


def gymnasium_id(environment: str) -> str:
    """The id under which an environment of the fleet is registered: `gym:CartPole-v1` is
    `promptpo/gym.CartPole-v1`.

    A colon would part a module from an id, and a slash a namespace from a name.
    """
    return f"{NAMESPACE}/{environment.replace(':', '.').replace('/', '.')}"


def register(environments: Iterable[str]) -> None:
    """Lets gymnasium find environments of the fleet under their `gymnasium_id`; twice is once."""
    for environment in environments:
        name = gymnasium_id(environment)
        if name not in gymnasium.registry:
            _register(name, {"environment": environment})


def register_all(**settings: Unpack[SessionSettings]) -> list[str]:
    """Registers what the service at `rollout` lists; the ids in gymnasium's registry."""
    from promptpo.client.client import Client

    with Client(
        rollout=settings.get("rollout"), token=settings.get("token"), tls=settings.get("tls")
    ) as fleet:
        found = [each.id for each in fleet.environments()]
    register(found)
    return [gymnasium_id(each) for each in found]


def register_known() -> None:
    """Registers the environments that come with the fleet, and `promptpo/Any-v0`."""
    register(KNOWN_IDS)
    if ANY not in gymnasium.registry:
        _register(ANY, {})


def env_entry(environment: str, **arguments: Any) -> FleetEnv:  # noqa: ANN401 - whatever gymnasium.make was given
    """What `gymnasium.make` calls: settings as for `make`, all others are the environment's own options."""
    return make(environment, **_sorted(arguments, {"seed", "render_mode"}))


def vector_entry(num_envs: int, environment: str, **arguments: Any) -> FleetVectorEnv:  # noqa: ANN401 - the same
    """What `gymnasium.make_vec` calls: settings as for `make_vec`, all others are the environment's own."""
    own = {"seed", "render_mode", "autoreset_mode", "batch_size"}
    return make_vec(environment, num_envs, **_sorted(arguments, own))


# gymnasium.make reads which ways of rendering there are from what it calls.
env_entry.metadata = {"render_modes": ["rgb_array"], "render_fps": 30}  # type: ignore[attr-defined]


def _register(name: str, arguments: Mapping[str, str]) -> None:
    here = "promptpo.client.making"
    gymnasium.register(
        id=name,
        entry_point=f"{here}:env_entry",
        vector_entry_point=f"{here}:vector_entry",
        kwargs=dict(arguments),
    )


def _sorted(arguments: Mapping[str, Any], own: set[str]) -> dict[str, Any]:
    """The arguments with all that are no settings put into `options`."""
    known = {key: value for key, value in arguments.items() if key in _SETTINGS or key in own}
    options = {key: value for key, value in arguments.items() if key not in known}
    if options:
        known["options"] = {**(known.get("options") or {}), **options}
    return known
