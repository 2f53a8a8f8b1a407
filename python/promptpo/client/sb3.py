"""Environments of the fleet for stable-baselines3: `PPO("MlpPolicy", FleetVecEnv("HalfCheetah-v5", 8))`.

The only module that imports stable_baselines3. Tried with 2.9.2, against its own DummyVecEnv (test_sb3).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, Unpack

import numpy as np
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.vec_env import VecEnv

from promptpo.client.env_session import SessionSettings
from promptpo.client.errors import FleetError
from promptpo.client.packing import Array, Batch
from promptpo.client.vector_env import FleetVectorEnv


class FleetVecEnv(VecEnv):  # type: ignore[misc] # not installed where types are checked
    """`num_envs` environments `environment` of the fleet; settings as for FleetVectorEnv.

    An episode that ends begins anew in the same step, with `terminal_observation`, `TimeLimit.truncated`
    and, where the environment knows it, `is_success` in its info.
    """

    def __init__(self, environment: str, num_envs: int = 1, **settings: Unpack[SessionSettings]) -> None:
        self._envs: Final = FleetVectorEnv(
            environment, num_envs, autoreset_mode=AutoresetMode.SAME_STEP, **settings
        )
        super().__init__(num_envs, self._envs.single_observation_space, self._envs.single_action_space)
        self.metadata = self._envs.metadata

    def reset(self) -> Batch:
        """Starts episodes, with the seeds that `seed` was given."""
        seeds = None if all(each is None for each in self._seeds) else self._seeds
        observations, infos = self._envs.reset(seed=seeds)
        self.reset_infos = [_row(infos, index) for index in range(self.num_envs)]
        self._reset_seeds()
        self._reset_options()
        return observations

    def step_async(self, actions: Array) -> None:
        """Sends a step."""
        self._envs.step_async(actions)

    def step_wait(self) -> tuple[Batch, Array, Array, list[dict[str, Any]]]:
        """Its outcome; rewards are float32, as stable-baselines3's own environments have them."""
        observations, rewards, terminated, truncated, infos = self._envs.step_wait()
        final = infos.get("final_obs")
        told: list[dict[str, Any]] = []
        for index in range(self.num_envs):
            info: dict[str, Any] = {"TimeLimit.truncated": bool(truncated[index] and not terminated[index])}
            if "success" in infos:
                info["is_success"] = bool(infos["success"][index])
            if final is not None and final[index] is not None:
                info["terminal_observation"] = final[index]
            told.append(info | _row(infos, index))
        return observations, rewards.astype(np.float32), terminated | truncated, told

    def close(self) -> None:
        """Frees the environments."""
        self._envs.close()

    def get_images(self) -> Sequence[Array | None]:
        """A picture of each environment."""
        return self._envs.render() or ()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:  # noqa: ANN401 - stable-baselines3's
        """What this side knows of each environment: `render_mode`, spaces, `spec`."""
        return [getattr(self._envs, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:  # noqa: ANN401, ARG002
        """Refused: the environments are in another process."""
        raise FleetError(
            "UNIMPLEMENTED", f"{attr_name} of remote environments cannot be set; give it in options"
        )

    def env_method(
        self,
        method_name: str,
        *_args: Any,  # noqa: ANN401 - stable-baselines3's
        indices: Any = None,  # noqa: ANN401, ARG002
        **_kwargs: Any,  # noqa: ANN401
    ) -> list[Any]:
        """Refused: the environments are in another process."""
        raise FleetError("UNIMPLEMENTED", f"{method_name} of remote environments cannot be called")

    def env_is_wrapped(self, wrapper_class: type, indices: Any = None) -> list[bool]:  # noqa: ANN401, ARG002
        """None is: wrappers stay on this side."""
        return [False for _ in self._get_indices(indices)]

    def _get_indices(self, indices: int | Iterable[int] | None) -> Iterable[int]:
        if indices is None:
            return range(self.num_envs)
        return [indices] if isinstance(indices, int) else indices


def _row(infos: dict[str, Any], index: int) -> dict[str, Any]:
    """An environment's cause of death, if it died."""
    cause = infos["cause"][index] if "cause" in infos else None
    return {} if cause is None else {"cause": cause}
