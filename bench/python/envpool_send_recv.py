"""EnvPool's asynchronous mode: `envpool_send_recv.py ENVIRONMENT COUNT STEPS BATCH`.

The number of threads is its own choice. Runs in an environment of its own, without the fleet's packages.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from send_recv import send_recv_round
from serving import serve
from step_work import work_of


def main() -> None:
    """See the top of the file."""
    work = work_of(sys.argv[1:4])
    batch = int(sys.argv[4])
    envpool: Any = import_module("envpool")
    env = envpool.make(work.environment, env_type="gymnasium", num_envs=work.count, batch_size=batch, seed=0)
    serve(send_recv_round(work, env, batch))


if __name__ == "__main__":
    main()
