"""For tests: what a baseline does, in an environment that has the client and no simulator.

python -m promptpo.client.light_check ROLLOUT   prints a digest of trajectories by autoreset mode and
transport.
"""

# ruff: noqa: T201 - what it prints is its purpose

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
import warnings
from typing import Any, Final

import gymnasium
import numpy as np
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, VectorEnv

ENVIRONMENT: Final = "Hopper-v5"
COUNT: Final = 3
STEPS: Final = 200


def digest(envs: VectorEnv) -> str:
    """sha-256 of all that some fixed steps bring back."""
    seen = hashlib.sha256()
    observations, _ = envs.reset(seed=21)
    actions = np.random.default_rng(4)
    shape = (COUNT, *envs.single_action_space.shape)
    for _ in range(STEPS):
        seen.update(observations.tobytes())
        observations, *outcome, infos = envs.step(actions.uniform(-1, 1, shape).astype(np.float32))
        for array in outcome:
            seen.update(f"{array.dtype} ".encode() + array.tobytes())
        for final in infos.get("final_obs", ()):
            seen.update(b"-" if final is None else final.tobytes())
        ended = outcome[1] | outcome[2]
        if envs.metadata["autoreset_mode"] is AutoresetMode.DISABLED and ended.any():
            observations, _ = envs.reset(options={"reset_mask": ended})
    return seen.hexdigest()


def main(rollout: str) -> dict[str, Any]:
    """Digests by mode and transport, and what else was found."""
    simulators = [name for name in ("mujoco", "metaworld", "scipy") if importlib.util.find_spec(name)]
    found: dict[str, Any] = {"gymnasium": gymnasium.__version__, "simulators": simulators, "digests": {}}
    for mode in AutoresetMode:
        for transport in ("unix", "grpc"):
            envs = gymnasium.make_vec(
                f"promptpo.client:promptpo/{ENVIRONMENT}",
                num_envs=COUNT,
                rollout=rollout,
                transport=transport,
                autoreset_mode=mode,
            )
            found["digests"][f"{mode.value} {transport}"] = digest(envs)
            envs.close()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        env = gymnasium.make(f"promptpo/{ENVIRONMENT}", rollout=rollout)
        check_env(env.unwrapped, skip_render_check=True)
        env.close()
    # The bounds of Hopper's observations are infinite, here as at home.
    found["warnings"] = [str(each.message) for each in warned if "infinity" not in str(each.message)]
    return found


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
