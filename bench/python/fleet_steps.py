"""The fleet's vector environment: `fleet_steps.py ENVIRONMENT COUNT STEPS ROLLOUT grpc|unix`."""

from __future__ import annotations

import sys
from typing import Any

from promptpo.client import make_vec

from serving import serve
from step_work import work_of
from vector_round import vector_round


def main() -> None:
    """See the top of the file."""
    work = work_of(sys.argv[1:4])
    transport: Any = sys.argv[5]
    env = make_vec(work.environment, work.count, rollout=sys.argv[4], transport=transport)
    try:
        serve(vector_round(work, env))
    finally:
        env.close()


if __name__ == "__main__":
    main()
