"""The worker process: `python -m promptpo.sim.worker FD SERVER_PID`, started by the server on one end of a
link.

Owns its lifecycle: it dies with the server, and the warm parent and every policy die with it.
"""

from __future__ import annotations

import os
import signal
import socket
import sys

from promptpo.sim.jail.syscalls import PR_SET_PDEATHSIG, prctl
from promptpo.sim.jail.warm_parent import WarmParent
from promptpo.sim.link import Link
from promptpo.sim.own_core import keep_to_own_core


def main(arguments: list[str]) -> None:
    """Serves jobs until the server goes away."""
    link_fd, server_pid = (int(argument) for argument in arguments)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != server_pid:
        return  # the server died before the line above
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C on a terminal is the server's to handle
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # Simulation is batch work: whatever answers somebody goes first, and neither a policy that was asked nor
    # the worker that was answered interrupts the other before it waits. Policies inherit it.
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    keep_to_own_core()
    # The parent warms up while the simulators' modules are imported here.
    unconfined = os.environ.get("PROMPTPO_UNCONFINED") == "1"
    parent = WarmParent(unconfined)

    from promptpo.sim.worker.jobs import Jobs

    try:
        Jobs(Link(socket.socket(fileno=link_fd)), parent, unconfined).serve()
    finally:
        parent.close()


if __name__ == "__main__":
    main(sys.argv[1:])
