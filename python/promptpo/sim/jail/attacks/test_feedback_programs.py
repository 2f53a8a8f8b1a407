"""Attacks by feedback programs, which see a whole trajectory and answer with a text for a model to read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from promptpo.sim.jail.attacks.attack import IMPATIENT, QUICK
from promptpo.sim.jail.limits import Limits
from promptpo.sim.jail.testing import Jail, observation
from promptpo.sim.policy_error import ErrorKind, PolicyFailed

PROGRAM = """
import ctypes, os
from promptpo.sim.jail import frames

def say(size, data, number=6):
    for part in (frames.pack_status(number, frames.TEXT, size, 16), data):
        os.write(4, part)

class Feedback:
    def summarize_trajectory(self, traj):
        {body}
        return "honest"
"""

DEFAULT = Limits()

ATTACKS: dict[str, tuple[str, Limits, ErrorKind, str]] = {
    "opens a file": ("open('/etc/hostname')", DEFAULT, "ESCAPE_ATTEMPT", "Permission denied"),
    "opens a socket": ("import socket; socket.socket()", DEFAULT, "ESCAPE_ATTEMPT", "system call socket"),
    "loops": ("while True: pass", QUICK, "CPU", "one action took more than 0.2 s"),
    "waits": ("os.read(3, 1)", IMPATIENT, "TIMEOUT", "one action took more than 0.3 s"),
    "leaves": ("os._exit(0)", DEFAULT, "KILLED", "exit code 0"),
    "writes too much": ("return 'x' * 5000", DEFAULT, "BAD_SUMMARY", "at most 4096"),
    "writes too much by itself": (
        "say(5000, b'x' * 5000)",
        DEFAULT,
        "ESCAPE_ATTEMPT",
        "a text of 5000 bytes",
    ),
    "announces more than a frame may": ("say(1 << 31, b'')", DEFAULT, "ESCAPE_ATTEMPT", "at most 131072"),
    "announces a text and waits": ("say(100, b'x'); os.read(3, 1)", IMPATIENT, "TIMEOUT", "0.3 s"),
    "announces a text and leaves": ("say(100, b'x'); os._exit(0)", DEFAULT, "KILLED", "exit code 0"),
    "answers another question": ("say(1, b'x', 5)", DEFAULT, "ESCAPE_ATTEMPT", "numbered 5, 6 was due"),
    "answers with an action": (
        "os.write(4, frames.pack_action(6, __import__('numpy').zeros(2), 16))",
        DEFAULT,
        "ESCAPE_ATTEMPT",
        "status 4 is not due",
    ),
    "answers with what is no text": ("return b'text'", DEFAULT, "BAD_SUMMARY", "returned bytes"),
    "answers with a text that lies": (
        "class Text(str):\n            def encode(self, *_): return b'x' * 100_000\n        return Text('x')",
        DEFAULT,
        "BAD_SUMMARY",
        "100000 bytes",
    ),
}


def summary(jail: Jail, body: str) -> str:
    with jail.process(PROGRAM.format(body=body), mode="summarize") as process:
        process.start()
        return process.summarize([observation(step) for step in range(5)])


@pytest.mark.parametrize("name", ATTACKS)
def test_feedback_program(jail: Jail, name: str) -> None:
    body, limits, kind, says = ATTACKS[name]
    with pytest.raises(PolicyFailed) as caught:
        summary(jail.with_limits(replace(limits, start_cpu_s=10)), body)
    assert caught.value.error.kind == kind
    assert says in caught.value.error.message
    assert summary(jail, "pass") == "honest"


def test_bytes_that_are_no_text_become_one(jail: Jail) -> None:
    assert summary(jail, "say(3, b'a\\xff\\xfe'); os.read(3, 1)") == "a\ufffd\ufffd"
