"""Attacks by the source itself: what hits the compiler, or comes before the first observation."""

from __future__ import annotations

from dataclasses import replace

import pytest

from promptpo.sim.jail.attacks.attack import QUICK
from promptpo.sim.jail.limits import MAX_SOURCE_BYTES
from promptpo.sim.jail.testing import Jail, policy
from promptpo.sim.policy_error import ErrorKind

HONEST = policy("return [0, 0]")
READY = """\
import os
from promptpo.sim.jail import frames
os.write(4, frames.pack_status(0, frames.READY, 0, 16))
"""

SOURCES: dict[str, tuple[str, ErrorKind | None, str]] = {
    "brackets within brackets": ("(" * 500 + ")" * 500, "SYNTAX", "too many nested parentheses"),
    "signs without end": ("-" * 100_000 + "1", "SYNTAX", ""),
    "attributes without end": ("a" + ".a" * 100_000, "SYNTAX", ""),
    "a constant too large to fold": (f"x = {'9**' * 30}9\n", "CPU", "starting took more than 0.3 s"),
    "a number too long to read": (f"x = {'9' * 10_000}", "SYNTAX", "Exceeds the limit"),
    "a zero byte": ("x = '\0'", "SYNTAX", "null bytes"),
    "an encoding of its own": (f"# -*- coding: rot13 -*-\n{HONEST}", None, ""),
    "as long as one may be": ("#" + "x" * (MAX_SOURCE_BYTES - len(HONEST) - 2) + f"\n{HONEST}", None, ""),
    "a loop at import": ("while True: pass", "CPU", "starting took more than 0.3 s"),
    "a loop in the constructor": (
        f"{HONEST}\n    def __init__(self):\n        while True: pass",
        "CPU",
        "starting took more than 0.3 s",
    ),
    "a loop where the class is chosen": (
        """
class Loop(type):
    def __getattribute__(cls, name):
        while True: pass
class TaskPolicy(metaclass=Loop):
    pass
""",
        "CPU",
        "starting took more than 0.3 s",
    ),
    "memory at import": ("x = bytearray(1 << 40)", "MEMORY", "more memory than it may have"),
    "a file at import": ("open('/etc/hostname')", "ESCAPE_ATTEMPT", "Permission denied"),
    "a socket at import": ("import socket; socket.socket()", "ESCAPE_ATTEMPT", "system call socket"),
    "an end at import": ("import os; os._exit(0)", "KILLED", "exit code 0"),
    "a crash at import": ("import ctypes; ctypes.string_at(0)", "KILLED", "SIGSEGV"),
    "ready before it is": (f"{READY}{HONEST}", "ESCAPE_ATTEMPT", "numbered 0, 1 was due"),
    "ready twice": (f"{READY}{READY}{HONEST}", "ESCAPE_ATTEMPT", "numbered 0, 1 was due"),
    "ready and gone": (f"{READY}os._exit(0)", "KILLED", "exit code 0"),
    "an answer before the question": (
        READY.replace("pack_status(0, frames.READY, 0, 16)", "pack_status(0, frames.TEXT, 0, 16)") + HONEST,
        "ESCAPE_ATTEMPT",
        "status 6 is not due",
    ),
    "a claim that it was never confined": (
        READY.replace("READY", "BROKEN") + HONEST,
        "ESCAPE_ATTEMPT",
        "status 2 is not due",
    ),
    "an act that is no method": (
        """
class Always:
    def __get__(self, *_): raise SystemExit
class TaskPolicy:
    act = Always()
""",
        "EXCEPTION",
        "SystemExit",
    ),
    "a class that is none of its own": (
        "import decimal\nTaskPolicy = decimal.Decimal",
        "NO_CLASS",
        "no callable act",
    ),
    "a module that hides itself": (f"import sys\ndel sys.modules['policy']\n{HONEST}", None, ""),
}


@pytest.mark.parametrize("name", SOURCES)
def test_source(jail: Jail, name: str) -> None:
    source, kind, says = SOURCES[name]
    quick = jail.with_limits(replace(QUICK, start_cpu_s=0.3))
    if kind is None:
        assert len(quick.actions(source)) == 1
    else:
        error = quick.failure(source)
        assert (error.kind, error.step) == (kind, None), error
        assert says in error.message
    assert len(jail.actions(HONEST)) == 1
