"""A shard's process: `python -m promptpo.sim.sessions CONTROL_FD LISTENER_FD LIVES SERVER_PID`.

Started by the server on one end of a control link and on a listening unix socket; the request comes over the
link, so that no token stands in arguments or environment. Owns its lifecycle: it dies with the server.
"""

from __future__ import annotations

import os
import signal
import socket
import sys

from promptpo.sim.jail.syscalls import PR_SET_PDEATHSIG, prctl
from promptpo.sim.own_core import keep_to_own_core
from promptpo.sim.sessions.control import Control, Word
from promptpo.sim.v1 import sim_pb2


def main(arguments: list[str]) -> None:
    """Serves until the session ends."""
    control_fd, listener_fd, lives, server_pid = (int(argument) for argument in arguments)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != server_pid:
        return  # the server died before the line above
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C on a terminal is the server's to handle
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    keep_to_own_core()
    control = Control(socket.socket(fileno=control_fd))
    listener = socket.socket(fileno=listener_fd)

    from promptpo.sim.sessions.shard import Shard

    heard = control.hear()
    if heard is None or heard[0] is not Word.SETTINGS:
        return
    Shard(control, listener, lives).run(sim_pb2.OpenSessionRequest.FromString(heard[1]))


if __name__ == "__main__":
    main(sys.argv[1:])
