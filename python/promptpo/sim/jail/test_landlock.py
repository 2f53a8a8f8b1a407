"""Landlock alone, without seccomp in front of it: the second wall stands by itself, on old kernels too."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from promptpo.sim.jail.landlock import ABI_MAX, abi

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
        except ConnectionRefusedError:
            return False
        return False

    attacks = [
        lambda: open("/etc/passwd"),
        lambda: open("/tmp/made", "w"),
        lambda: os.listdir("/"),
        lambda: os.execv("/bin/true", ["true"]),
        lambda: socket.socket().connect(("127.0.0.1", 9)),
    ]
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    landlock.restrict_self(landlock.abi())
    print([refused(attack) for attack in attacks])
    """
)


def refused(environment: dict[str, str]) -> list[bool]:
    """Of a file to read, a file to write, a folder, a program, a port: which are out of reach."""
    done = subprocess.run(
        [sys.executable, "-c", ATTACK],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    return [word == "True" for word in done.stdout.strip("[]\n").split(", ")]


def test_no_path_can_be_opened_and_no_port_connected() -> None:
    assert refused({}) == [True, True, True, True, abi() >= 4]


def test_the_oldest_landlock_knows_paths_only() -> None:
    """So that what the suite of attacks proves with it about the network is proved of seccomp."""
    assert refused({ABI_MAX: "1"}) == [True, True, True, True, False]


def test_a_kernel_cannot_be_played_newer_than_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ABI_MAX, raising=False)
    found = abi()
    monkeypatch.setenv(ABI_MAX, "99")
    assert abi() == found
    monkeypatch.setenv(ABI_MAX, "0")
    assert abi() == 0
