"""The fleet's `send` and `recv`: `fleet_send_recv.py ENVIRONMENT COUNT STEPS ROLLOUT BATCH`.

The transport is the one that the client takes by itself.
"""

from __future__ import annotations

import sys

from promptpo.client import make_vec

from send_recv import send_recv_round
from serving import serve
from step_work import work_of


def main() -> None:
    """See the top of the file."""
    work = work_of(sys.argv[1:4])
    rollout, batch = sys.argv[4], int(sys.argv[5])
    env = make_vec(work.environment, work.count, rollout=rollout, batch_size=batch, seed=0)
    try:
        serve(send_recv_round(work, env, batch))
    finally:
        env.close()


if __name__ == "__main__":
    main()
