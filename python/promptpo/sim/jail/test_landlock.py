"""Landlock alone, without seccomp in front of it: the second wall stands by itself."""

from __future__ import annotations

import subprocess
import sys
import textwrap

ATTACK = textwrap.dedent(
    """
    import os, socket
    from promptpo.sim.jail import landlock
    from promptpo.sim.jail.syscalls import PR_SET_NO_NEW_PRIVS, prctl

    def refused(call):
        try:
            call()
        except PermissionError:
            return True
        return False

    attacks = [
        lambda: open("/etc/passwd"),
        lambda: open("/tmp/made", "w"),
        lambda: os.listdir("/"),
        lambda: os.execv("/bin/true", ["true"]),
    ]
    if landlock.abi() >= 4:
        attacks.append(lambda: socket.create_connection(("127.0.0.1", 9)))
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    landlock.restrict_self(landlock.abi())
    print([refused(attack) for attack in attacks])
    """
)


def test_no_path_can_be_opened_and_no_port_connected() -> None:
    done = subprocess.run([sys.executable, "-c", ATTACK], capture_output=True, text=True, check=True)
    assert set(done.stdout.strip("[]\n").split(", ")) == {"True"}
