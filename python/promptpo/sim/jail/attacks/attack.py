"""One attack: a policy's source that plays honestly but for one step, and what must become of it.

Owns the source around an attack and the words by which a successful one gives itself away. Knows nothing of
how it is run.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Final

from promptpo.sim.jail.limits import Limits
from promptpo.sim.policy_error import ErrorKind

SUCCEEDED: Final = "the attack succeeded"
"""Stands in the message of an attack that got what it wanted; no result may ever hold it."""

AT_STEP: Final = 2
"""The attack comes at this observation (0 = the first): before it and after it the policy plays honestly."""

ANY_STEP: Final = -1

QUICK: Final = Limits(start_cpu_s=0.3, action_cpu_s=0.2, episode_wall_s=20, memory_bytes=1 << 28)
"""For attacks that must meet a limit of CPU time; the wall stays generous, since the machine may be busy."""

IMPATIENT: Final = Limits(action_wall_s=0.3, episode_wall_s=5)
"""For attacks that wait without computing."""

_POLICY: Final = """\
import ctypes, os, sys
import numpy as np

libc = ctypes.CDLL(None, use_errno=True)

def won(what):
    raise RuntimeError(f"{SUCCEEDED}: {what}")

def refused(call, *arguments, **named):
    try:
        what = call(*arguments, **named)
    except (OSError, ImportError):
        return
    won(f"{call} gave {what!r}"[:200])

class NoiseWorldPolicy:
    def __init__(self):
        self.step = -1

    def act(self, obs):
        self.step += 1
        if MAY and self.step == AT_STEP:
            instead = attack(self, obs)
            if instead is not None:
                return instead
        return 3 if self.step % 2 else 1

"""

HONEST: Final = f"AT_STEP, MAY = -1, False\n{_POLICY}"
"""The policy that all attacks are, but for the attack."""

SOMETIMES: Final = "__import__('random').random() < 0.5"
"""For `source`: the attack comes in some episodes only; which, is a matter of their seeds."""


@dataclass(frozen=True)
class Attack:
    """What is tried, and the only outcome that is right."""

    name: str
    code: str
    """Body of `attack(policy, obs)`, which may use what the policy's source has, `won`, `refused` and the
    names of the target. What it returns is the step's action; None: the honest one."""
    kind: ErrorKind | None = None
    """How the episode must end. None: it is played to its end, with the result of the honest policy."""
    says: str = ""
    """Part of the message that tells the cause."""
    limits: Limits = Limits()  # noqa: RUF009  frozen
    works_without_jail: bool = False
    """In a plain process the attack succeeds (tested): so it is the jail that stops it."""
    ends_at: int = AT_STEP
    """The step whose answer is not taken; ANY_STEP: a later one."""
    twice: bool = False
    """The second episode looks for what the first one left."""

    def __str__(self) -> str:
        return self.name

    def source(self, target: dict[str, object], may: str = "True") -> str:
        """The policy; `target` are the names of what is attacked, `may` says whether it is."""
        names = {"AT_STEP": AT_STEP, "SUCCEEDED": SUCCEEDED, **target}
        lines = [f"{name} = {value!r}" for name, value in names.items()]
        body = textwrap.indent(textwrap.dedent(self.code).strip("\n"), "    ")
        return "\n".join([*lines, f"MAY = {may}"]) + f"\n{_POLICY}\ndef attack(policy, obs):\n{body}\n"
