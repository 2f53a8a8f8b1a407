"""`python -m promptpo.sim --listen HOST:PORT`: one sidecar. Reads its arguments and environment, then serves.

Environment: PROMPTPO_UNCONFINED=1 runs policies without Landlock and seccomp (for machines that have neither,
never for policies that nobody has read). PROMPTPO_DRAIN_MS: grace of what runs on SIGTERM, default 10000.
"""

from __future__ import annotations

import argparse
import os
import sys


def main(arguments: list[str]) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m promptpo.sim", description="Simulates environments for jailed policies."
    )
    parser.add_argument(
        "--listen",
        default="127.0.0.1:0",
        metavar="HOST:PORT",
        help="where to serve grpc; port 0 is a free one",
    )
    parser.add_argument(
        "--listen-sessions",
        metavar="HOST:PORT",
        help="a second listener for clients of environment sessions, who need nothing else of a sidecar",
    )
    chosen = parser.parse_args(arguments)
    drain_ms = os.environ.get("PROMPTPO_DRAIN_MS", "10000")
    if not drain_ms.isdecimal():
        parser.error(f"PROMPTPO_DRAIN_MS is {drain_ms!r}, expected milliseconds")

    from promptpo.sim.server.lane import Lane

    # The worker and the warm parent start while grpc is imported here.
    lane = Lane()
    from promptpo.sim.server.life import Config, serve, take_standard_output

    config = Config(
        listen=chosen.listen,
        listen_sessions=chosen.listen_sessions,
        unconfined=os.environ.get("PROMPTPO_UNCONFINED") == "1",
        drain_s=int(drain_ms) / 1000,
    )
    try:
        return serve(config, take_standard_output(), lane)
    finally:
        lane.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
