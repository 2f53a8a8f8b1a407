"""gymnasium's own vector environments: `vector_steps.py ENVIRONMENT COUNT STEPS async|sync`.

MuJoCo tasks only.
"""

from __future__ import annotations

import sys
from typing import Any

import gymnasium
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv

from serving import serve
from step_work import work_of
from vector_round import vector_round


def main() -> None:
    """See the top of the file."""
    work = work_of(sys.argv[1:4])
    kind: Any = {"async": AsyncVectorEnv, "sync": SyncVectorEnv}[sys.argv[4]]
    env = kind([_make(work.environment)] * work.count)
    try:
        serve(vector_round(work, env))
    finally:
        env.close()


def _make(environment: str) -> Any:  # noqa: ANN401 - gymnasium ships no types
    return lambda: gymnasium.make(environment, disable_env_checker=True)


if __name__ == "__main__":
    main()
