"""Everything a policy can draw a number from is a function of the seed, whatever ran before it."""

from __future__ import annotations

import random

import numpy as np
import pytest

from promptpo.sim.jail.testing import Jail, policy

SOURCES = {
    "random module": "import random; return [random.random(), random.gauss(0, 1)]",
    "Random()": "import random; return [random.Random().random(), random.SystemRandom().random()]",
    "numpy.random": "return [np.random.rand(), np.random.normal()]",
    "default_rng()": "return [np.random.default_rng().random(), np.random.default_rng().random()]",
    "SeedSequence()": "return [float(np.random.SeedSequence().entropy % 10**9), 0.0]",
    "os.urandom": "import os; return list(os.urandom(2))",
    "secrets": "import secrets; return [secrets.randbelow(10**6), secrets.token_bytes(1)[0]]",
    "uuid": "import uuid; return [uuid.uuid4().int % 10**6, uuid.uuid1().int % 10**6]",
    "scipy": "from scipy import stats; return stats.norm.rvs(size=2)",
    "tempfile": "import tempfile; return [ord(next(tempfile._get_candidate_names())[0]), 0]",
}
"""Each differs between seeds."""

CONSTANT = {
    "hash of str": "return [hash('policy') % 10**6, hash(('a', 1)) % 10**6]",
    "order of a set of str": "return [ord(x) for x in {'a', 'b', 'c', 'd', 'e'}][:2]",
    "clocks": "import time, datetime; return [time.time(), datetime.datetime.now().timestamp()]",
    "monotonic": "import time; return [time.perf_counter(), time.monotonic_ns()]",
    "process id": "import os; return [os.getpid(), os.getppid()]",
    "sleep": "import time; time.sleep(1000); return [time.time(), 0]",
}
"""Each is the same for every seed."""


@pytest.mark.parametrize("name", SOURCES)
def test_randomness_is_a_function_of_the_seed(jail: Jail, name: str) -> None:
    first = bits(jail, SOURCES[name], "1:policy")
    assert bits(jail, SOURCES[name], "2:policy") != first
    jail.acts("import random; np.random.rand(); random.random(); return [0, 0]")
    assert bits(jail, SOURCES[name], "1:policy") == first


@pytest.mark.parametrize("name", CONSTANT)
def test_what_depends_on_nothing(jail: Jail, name: str) -> None:
    assert bits(jail, CONSTANT[name], "1:policy") == bits(jail, CONSTANT[name], "2:policy")


def test_the_clock_is_simulated_time(jail: Jail) -> None:
    actions = jail.acts("import time; return [time.time(), time.perf_counter()]", steps=3)
    assert [list(action) for action in actions] == [[0.0, 0.0], [0.5, 0.5], [1.0, 1.0]]  # type: ignore[arg-type]


STATEFUL = (
    policy(
        """
    global calls
    calls += 1
    TaskPolicy.total += obs.vector[0] + random.random()
    np.seterr(all='raise')
    math.pi = 3.0
    return [calls, TaskPolicy.total]
    """
    )
    .replace("import numpy as np\n", "import math, random\nimport numpy as np\ncalls = 0\n")
    .replace("class TaskPolicy:\n", "class TaskPolicy:\n    total = 0.0\n")
)


def test_state_does_not_survive_an_episode(jail: Jail) -> None:
    first = {seed: jail.actions(STATEFUL, 4, f"{seed}:policy") for seed in range(4)}
    order = list(range(4)) * 2
    random.Random(0).shuffle(order)
    for seed in order:
        again = jail.actions(STATEFUL, 4, f"{seed}:policy")
        assert [list(a) for a in again] == [list(a) for a in first[seed]]  # type: ignore[arg-type]
    assert bits(jail, "import math; return [math.pi, 0]", "0:policy")[0] != np.array([3.0, 0.0]).tobytes()


def bits(jail: Jail, body: str, key: str) -> list[bytes]:
    return [action.tobytes() for action in jail.acts(body, 2, key) if not isinstance(action, int)]
