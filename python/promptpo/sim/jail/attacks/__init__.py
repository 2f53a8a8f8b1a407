"""Attacks on the jail, by family, and the tests that run them against the real thing.

`FAMILIES` maps a family's name to its attacks. Test code: nothing that runs policies imports it.
"""

from __future__ import annotations

from typing import Final

from promptpo.sim.jail.attacks.answers import ATTACKS as ANSWERS
from promptpo.sim.jail.attacks.attack import Attack
from promptpo.sim.jail.attacks.bombs import ATTACKS as BOMBS
from promptpo.sim.jail.attacks.crashes import ATTACKS as CRASHES
from promptpo.sim.jail.attacks.files import ATTACKS as FILES
from promptpo.sim.jail.attacks.interpreter import ATTACKS as INTERPRETER
from promptpo.sim.jail.attacks.kernel import ATTACKS as KERNEL
from promptpo.sim.jail.attacks.loops import ATTACKS as LOOPS
from promptpo.sim.jail.attacks.network import ATTACKS as NETWORK
from promptpo.sim.jail.attacks.objects import ATTACKS as OBJECTS
from promptpo.sim.jail.attacks.processes import ATTACKS as PROCESSES
from promptpo.sim.jail.attacks.scores import ATTACKS as SCORES

FAMILIES: Final[dict[str, tuple[Attack, ...]]] = {
    "files": FILES,
    "network": NETWORK,
    "processes": PROCESSES,
    "bombs": BOMBS,
    "loops": LOOPS,
    "crashes": CRASHES,
    "kernel": KERNEL,
    "scores": SCORES,
    "answers": ANSWERS,
    "interpreter": INTERPRETER,
    "objects": OBJECTS,
}
