"""Attacks that never answer: in Python, in C, with every signal ignored, in every hook that a policy has."""

from __future__ import annotations

from typing import Final

from promptpo.sim.jail.attacks.attack import ANY_STEP, IMPATIENT, QUICK, Attack
from promptpo.sim.jail.limits import Limits


def _spins(name: str, code: str) -> Attack:
    return Attack(name, code, "CPU", "one action took more than 0.2 s of CPU time", QUICK)


def _waits(name: str, code: str) -> Attack:
    return Attack(name, code, "TIMEOUT", "one action took more than 0.3 s", IMPATIENT)


_IGNORE_ALL: Final = """
        import signal
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGSYS}:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, set(signal.Signals))
"""

ATTACKS: Final = (
    _spins("loops", "while True: pass"),
    _spins("loops and catches everything", "while True:\n    try: 1 / 0\n    except BaseException: pass"),
    _spins("loops in C", "10 ** 10 ** 8"),
    _spins("loops in C over an iterator", "import itertools; sum(itertools.repeat(0))"),
    _spins("loops in numpy", "while True: np.linalg.svd(np.ones((300, 300)))"),
    _spins("loops in a pattern", "import re; re.match('(a+)+$', 'a' * 60 + 'b')"),
    _spins("ignores all signals and loops", f"{_IGNORE_ALL}\n        while True: pass"),
    _spins("ignores all signals and loops in C", f"{_IGNORE_ALL}\n        10 ** 10 ** 8"),
    _spins("handles the limit's signal", "import signal; signal.signal(24, print)\nwhile True: pass"),
    _spins("does nothing but yield", "while True: os.sched_yield()"),
    _spins("sleeps, as it thinks", "import time\nwhile True: time.sleep(3600)"),
    Attack(
        "loops in a kernel call",
        "while True: os.write(1, bytes(1 << 16))",
        "CPU",
        "one action",
        QUICK,
    ),
    Attack(
        "spends a little at every step",
        """
        def waste(self):
            sum(range(1_000_000))
            return self.__dict__["step"]
        type(policy).step = property(waste, lambda self, step: self.__dict__.update(step=step))
        """,
        "CPU",
        "in this episode",
        Limits(episode_cpu_s=0.4),
        ends_at=ANY_STEP,
    ),
    _waits("waits for a request that will not come", "os.read(3, 1)"),
    _waits(
        "waits for a lock that it holds",
        "import threading; lock = threading.Lock(); lock.acquire(); lock.acquire()",
    ),
    _waits("stops itself", "os.kill(libc.getpid(), 19)"),
    Attack("waits for a signal", "import signal; signal.pause()", "ESCAPE_ATTEMPT", "system call pause"),
    Attack(
        "waits for a chosen signal",
        "import signal; signal.sigwait({10})",
        "ESCAPE_ATTEMPT",
        "system call rt_sigtimedwait",
    ),
    Attack(
        "waits for a descriptor",
        "import select; select.select([3], [], [])",
        "ESCAPE_ATTEMPT",
        "Operation not permitted",
    ),
)
