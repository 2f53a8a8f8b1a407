"""The sidecar attacks itself before it serves: policies that reach for files, sockets, processes, code must
be stopped.

Owns the verdict `confined`. Anything but the expected refusal, a kernel that refuses a step of confinement
included, is a no: no policy is run then unless the operator said so. The attacks are harmless where they
succeed; all of them together take about a tenth of a second. The whole suite stands in attacks/.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from ..policy_error import PolicyFailed
from .action import ActionJudge, ActionRules
from .frames import FieldLayout, Setup
from .limits import Limits
from .policy_process import ConfinementFailed, PolicyProcess
from .warm_parent import WarmParent
from .watch import Watch

_ATTACKS: Final = {
    "open a file": "open('/proc/self/status').read()",
    "open a socket": "import socket; socket.socket()",
    "start a process": "import os; os.fork() or os._exit(0)",
    "start a program": "import os; os.execv('/proc/self/exe', ['python', '--version'])",
    "signal another process": "libc.kill(libc.getppid(), 0)",
    "trace another process": "libc.ptrace(16, 0, 0, 0)",
    "read another process's memory": "libc.process_vm_readv(0, 0, 0, 0, 0, 0)",
    "share memory": "import os; os.memfd_create('shared')",
    "run code of its own": "import mmap; mmap.mmap(-1, 4096, prot=7)",
    "undo its confinement": "libc.prctl(38, 0, 0, 0, 0)",
}
"""What a policy could do, in words, and how it would try. Each is one system call of another kind."""

_LIBC: Final = "import ctypes\nlibc = ctypes.CDLL(None)\n"
_RULES: Final = ActionRules("discrete", (), (), (), 1)
_FIELDS: Final = (FieldLayout("nothing", "float64", ()),)
_LIMITS: Final = Limits(memory_bytes=1 << 28)


@dataclass(frozen=True)
class SelfTest:
    """What the attacks found."""

    confined: bool
    no_new_privs: bool
    landlock_abi: int
    """0: not in use."""
    seccomp: bool
    no_network: bool
    problem: str
    """Why `confined` is false."""


def run_self_test(parent: WarmParent, watch: Watch, unconfined: bool) -> SelfTest:
    """Runs the attacks, one policy process each."""
    try:
        stopped = {name: _is_stopped(parent, watch, code) for name, code in _ATTACKS.items()}
        status = _status_of_a_policy(parent, watch)
    except ConfinementFailed as error:
        return SelfTest(False, False, parent.landlock_abi, False, False, str(error))
    allowed = [name for name, was_stopped in stopped.items() if not was_stopped]
    no_new_privs, seccomp = status.get("NoNewPrivs") == "1", status.get("Seccomp") == "2"
    if not no_new_privs:
        allowed.append("gain privileges")
    if int(status.get("CapEff", "1"), 16) != 0:
        allowed.append("use the privileges of the user that it runs as")
    problem = f"a policy can {', '.join(allowed)}" if allowed else ""
    if unconfined:
        problem = "confinement is switched off by PROMPTPO_UNCONFINED=1"
    return SelfTest(
        confined=not problem,
        no_new_privs=no_new_privs,
        landlock_abi=0 if unconfined else parent.landlock_abi,
        seccomp=seccomp,
        no_network=stopped["open a socket"],
        problem=problem,
    )


def _is_stopped(parent: WarmParent, watch: Watch, code: str) -> bool:
    source = f"{_LIBC}class Attack:\n    def act(self, obs):\n        {code}\n        return 0\n"
    try:
        with _process(parent, watch, source) as process:
            process.start()
            process.act((np.array(0.0),))
    except PolicyFailed as failed:
        return failed.error.kind == "ESCAPE_ATTEMPT"
    return False


def _status_of_a_policy(parent: WarmParent, watch: Watch) -> dict[str, str]:
    """A policy process at work, as the kernel sees it from outside: the lines of /proc/<pid>/status.

    Raises ConfinementFailed if the policy, which does nothing wrong, cannot work: a jail in which everything
    fails would pass every attack.
    """
    source = f"{_LIBC}class Idle:\n    def act(self, obs):\n        return 0\n"
    try:
        with _process(parent, watch, source) as process:
            process.start()
            process.act((np.array(0.0),))
            status = Path(f"/proc/{process.pid}/status").read_text()
    except PolicyFailed as failed:
        raise ConfinementFailed(f"a policy that does nothing fails: {failed.error.message}") from failed
    return dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)


def _process(parent: WarmParent, watch: Watch, source: str) -> PolicyProcess:
    setup = Setup(
        mode="act",
        source=source,
        class_name="Attack",
        fields=_FIELDS,
        action_bytes=_RULES.room_bytes,
        dt=1.0,
        entropy_key="self-test",
        memory_bytes=_LIMITS.memory_bytes,
        cpu_s=0,
        text_bytes=0,
    )
    return PolicyProcess(parent, watch, setup, _LIMITS, ActionJudge(_RULES))
