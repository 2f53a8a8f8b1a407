"""One environment of the fleet as gymnasium's `Env`: a vector of one, whose caller resets it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal, Unpack

import numpy as np
from gymnasium import Env, spaces
from gymnasium.vector import AutoresetMode

from promptpo.client.env_session import SessionSettings
from promptpo.client.errors import FleetError
from promptpo.client.packing import Array
from promptpo.client.vector_env import RENDER_FPS, FleetVectorEnv


class FleetEnv(Env):  # type: ignore[misc] # gymnasium has no types that mypy follows
    """The environment `environment` of the fleet; settings as for FleetVectorEnv. Raises FleetError.

    Its observations, rewards and ends are bit for bit those of the same environment in this process, for
    actions of the action space's dtype. `info` has `success` where the environment knows it, and `cause`
    where it died.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": RENDER_FPS}

    def __init__(
        self,
        environment: str,
        *,
        seed: int | None = None,
        render_mode: Literal["rgb_array"] | None = None,
        **settings: Unpack[SessionSettings],
    ) -> None:
        self._envs: Final = FleetVectorEnv(
            environment,
            1,
            seed=seed,
            autoreset_mode=AutoresetMode.DISABLED,
            render_mode=render_mode,
            **settings,
        )
        self.render_mode = render_mode
        self.observation_space = self._envs.single_observation_space
        self.action_space = self._envs.single_action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Starts an episode; without a seed the environment's own generator goes on."""
        super().reset(seed=seed)
        if options:
            raise FleetError(
                "INVALID_ARGUMENT",
                f"options: expected none (an environment's own are given to make), got {sorted(options)}",
            )
        observations, infos = self._envs.reset(seed=seed)
        return _only(self.observation_space, observations), _info(infos)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:  # noqa: ANN401 - gymnasium's
        """One step. Raises INVALID_ARGUMENT after an episode's end, until the next reset."""
        batch = _batched(self.action_space, action)
        observations, rewards, terminated, truncated, infos = self._envs.step(batch)
        return (
            _only(self.observation_space, observations),
            float(rewards[0]),
            bool(terminated[0]),
            bool(truncated[0]),
            _info(infos),
        )

    def render(self) -> Array | None:
        """A picture, `(height, width, 3) uint8`."""
        pictures = self._envs.render()
        return None if pictures is None else pictures[0]

    def close(self) -> None:
        """Frees the environment."""
        self._envs.close()


def _batched(space: spaces.Space, value: Any) -> Any:  # noqa: ANN401 - a value of any space
    """A value of the space as a batch of one."""
    if isinstance(space, spaces.Dict):
        return {name: _batched(inner, value[name]) for name, inner in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(_batched(inner, each) for inner, each in zip(space.spaces, value, strict=True))
    return np.asarray(value)[np.newaxis]


def _only(space: spaces.Space, batch: Any) -> Any:  # noqa: ANN401 - a batch of any space
    """The value in a batch of one."""
    if isinstance(space, spaces.Dict):
        return {name: _only(inner, batch[name]) for name, inner in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(_only(inner, each) for inner, each in zip(space.spaces, batch, strict=True))
    # A Box without axes holds arrays without axes; a Discrete space holds scalars.
    return np.asarray(batch[0]) if isinstance(space, spaces.Box) else batch[0]


def _info(infos: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: values[0].item() if isinstance(values[0], np.generic) else values[0]
        for key, values in infos.items()
        if not key.startswith("_") and infos[f"_{key}"][0]
    }
