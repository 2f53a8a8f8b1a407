"""Policies in the real jail: how each kind of failure is found, and that nothing else is hurt by it."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest

from promptpo.sim.jail.limits import Limits
from promptpo.sim.jail.policy_process import Cancelled
from promptpo.sim.jail.testing import BOX, CODES, Jail, observation, policy

GOOD = policy("return np.array([0.5, -0.5])")


def test_a_policy_sees_named_fields_and_its_dtype_comes_back(jail: Jail) -> None:
    (action,) = jail.acts("return (obs.vector[:2] + obs.count).astype(np.float32)")
    assert isinstance(action, np.ndarray)
    assert action.dtype == np.float32
    assert action.tolist() == [0.0, 0.25]


def test_a_list_of_floats_is_float64_and_of_ints_int64(jail: Jail) -> None:
    floats, ints = jail.acts("return [0.5, 1.0] if obs.count == 0 else [0, 1]", steps=2)
    assert isinstance(floats, np.ndarray)
    assert isinstance(ints, np.ndarray)
    assert floats.dtype == np.float64
    assert ints.dtype == np.int64


def test_big_endian_numbers_keep_their_values(jail: Jail) -> None:
    (action,) = jail.acts("return np.array([0.1, 0.2], dtype='>f8')")
    assert isinstance(action, np.ndarray)
    assert action.tolist() == [0.1, 0.2]


def test_the_observation_is_read_only_and_tells_its_fields(jail: Jail) -> None:
    error = jail.failure_of("obs.vector[0] = 1.0")
    assert "read-only" in error.message
    error = jail.failure_of("return obs.velocity")
    assert "its fields are: vector, count" in error.message
    error = jail.failure_of("obs.count = 3")
    assert "read-only" in error.message


def test_syntax_error_has_line_and_column(jail: Jail) -> None:
    error = jail.failure("class TaskPolicy:\n    def act(self, obs)\n        return 1\n")
    assert (error.kind, error.line, error.column) == ("SYNTAX", 2, 23)
    assert "expected ':'" in error.message


@pytest.mark.parametrize("source", ["x = '\0'", "(" * 500 + ")" * 500, "def f(:\n", "  x = 1\n y"])
def test_sources_that_do_not_compile(jail: Jail, source: str) -> None:
    assert jail.failure(source).kind == "SYNTAX"


def test_a_source_whose_only_class_has_another_name_is_taken(jail: Jail) -> None:
    source = "class Helper:\n    pass\n" + GOOD.replace("TaskPolicy", "Mine")
    assert len(jail.actions(source)) == 1


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("", "the source defines no class"),
        ("class A:\n    pass\n", "the source defines only: A"),
        ("class TaskPolicy:\n    pass\n", "the class TaskPolicy has no callable act"),
        (
            "class A:\n    def act(self, obs): pass\nclass B(A):\n    pass\n",
            "several other classes have one: A, B",
        ),
    ],
)
def test_no_class_says_what_is_expected(jail: Jail, source: str, told: str) -> None:
    error = jail.failure(source)
    assert error.kind == "NO_CLASS"
    assert error.message == f"expected a class TaskPolicy with a method act(self, obs); {told}"


def test_an_exception_shows_the_policys_own_frames_only(jail: Jail) -> None:
    source = GOOD.replace("return", "self.help(obs); return") + (
        "\n    def help(self, obs):\n        return np.linalg.solve(np.zeros((2, 2)), obs.vector[:2])\n"
    )
    error = jail.failure(source)
    assert (error.kind, error.line) == ("EXCEPTION", 6)
    assert error.message == "numpy.linalg.LinAlgError: Singular matrix"
    assert error.traceback.count('File "policy.py"') == 2
    assert error.traceback.count("File ") == 2
    assert "return np.linalg.solve(np.zeros((2, 2)), obs.vector[:2])" in error.traceback


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        (
            "class TaskPolicy:\n    def __init__(self, x): pass\n    def act(self, obs): pass",
            "missing 1 required",
        ),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("import requests", "a policy can import the standard library, numpy and scipy"),
        ("import promptpo.sim.environments", "No module named"),
        ("import gymnasium", "No module named 'gymnasium'"),
        ("__import__('sci' + 'py')", "it is there for a policy whose source says the word"),
    ],
)
def test_what_goes_wrong_before_the_first_step(jail: Jail, source: str, message: str) -> None:
    error = jail.failure(source)
    assert error.kind == "EXCEPTION"
    assert message in error.message


def test_an_endless_recursion_has_a_short_traceback(jail: Jail) -> None:
    error = jail.failure("def f():\n    f()\nf()")
    assert error.kind == "EXCEPTION"
    assert error.message.startswith("RecursionError")
    assert len(error.traceback) < 4_000


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return None", "act returned None, expected numbers"),
        ("return 'left'", "act returned str 'left', expected numbers"),
        ("return [0.5]", "act returned an array of shape (1,) and dtype float64, expected shape (2,)"),
        ("return 0.5", "act returned the number 0.5 (float64), expected shape (2,)"),
        (
            "return np.zeros((2, 1))",
            "act returned an array of shape (2, 1) and dtype float64, expected shape (2,)",
        ),
        (
            "return np.zeros(10**6)",
            "act returned an array of shape (1000000,) and dtype float64, expected shape (2,)",
        ),
        ("return np.zeros((1,) * 9)", "act returned an array of 9 dimensions"),
        ("return [0.0, float('nan')]", "act returned nan at index [1], expected finite numbers"),
        ("return [float('inf'), 0.0]", "act returned inf at index [0], expected finite numbers"),
        (
            "return [True, False]",
            "act returned an array of shape (2,) and dtype bool, expected numbers of shape (2,)",
        ),
        ("return [1j, 0]", "expected numbers"),
        ("return [[1, 2], [3]]", "inhomogeneous"),
        ("return {'a': 1}", "act returned dict {'a': 1}, expected numbers"),
        ("return np.array([0.1, 0.2], dtype=np.longdouble)", "expected numbers"),
    ],
)
def test_bad_actions_of_a_box(jail: Jail, body: str, message: str) -> None:
    error = jail.failure_of(body)
    assert error.kind == "BAD_ACTION"
    assert message in error.message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return 4", "act returned 4, expected an integer from 0 to 3"),
        ("return -1", "act returned -1, expected an integer from 0 to 3"),
        ("return 10**30", "expected numbers"),
        ("return 2.0", "act returned the number 2.0 (float64), expected one integer from 0 to 3"),
        ("return True", "act returned a bool, expected one integer from 0 to 3"),
        (
            "return [1]",
            "act returned an array of shape (1,) and dtype int64, expected one integer from 0 to 3",
        ),
        ("return None", "act returned None, expected numbers"),
    ],
)
def test_bad_actions_of_codes(jail: Jail, body: str, message: str) -> None:
    error = jail.with_rules(CODES).failure_of(body)
    assert error.kind == "BAD_ACTION"
    assert message in error.message


@pytest.mark.parametrize(
    "body", ["return 3", "return np.int64(3)", "return np.uint8(3)", "return np.argmax([0, 0, 0, 1])"]
)
def test_a_code_is_any_integer_scalar(jail: Jail, body: str) -> None:
    assert jail.with_rules(CODES).acts(body) == [3]


def test_actions_out_of_bounds_are_counted_and_kept(jail: Jail) -> None:
    with jail.process(policy("return [obs.count * 0.75, 0.0]")) as process:
        process.start()
        actions = [process.act(observation(step)) for step in range(4)]
        assert process.judge.out_of_bounds_count == 2
    assert np.array(actions)[:, 0].tolist() == [0.0, 0.75, 1.5, 2.25]


def test_an_infinite_bound_does_not_let_infinity_through(jail: Jail) -> None:
    wide = replace(BOX, low=(-np.inf, -np.inf), high=(np.inf, np.inf))
    assert len(jail.with_rules(wide).acts("return [1e300, -1e300]")) == 1
    assert jail.with_rules(wide).failure_of("return [np.inf, 0.0]").kind == "BAD_ACTION"


@pytest.mark.parametrize("body", ["while True: pass", "10**10**8", "np.linalg.svd(np.ones((3000, 3000)))"])
def test_cpu_time_of_one_action(jail: Jail, body: str) -> None:
    error = jail.with_limits(Limits(action_cpu_s=0.2)).failure_of(body)
    assert error.kind == "CPU"
    assert error.message == "one action took more than 0.2 s of CPU time"


def test_cpu_time_of_an_episode(jail: Jail) -> None:
    error = jail.with_limits(Limits(episode_cpu_s=0.3)).failure_of(
        "sum(range(3_000_000)); return [0, 0]", steps=1000
    )
    assert error.kind == "CPU"
    assert error.message == "the policy used more than 0.3 s of CPU time in this episode"


def test_cpu_time_of_the_start(jail: Jail) -> None:
    error = jail.with_limits(Limits(start_cpu_s=0.2)).failure("while True: pass")
    assert (error.kind, error.message) == ("CPU", "starting took more than 0.2 s of CPU time")


def test_waiting_without_computing_ends_at_the_wall(jail: Jail) -> None:
    error = jail.with_limits(Limits(action_wall_s=0.2)).failure_of("import os; os.read(3, 1)")
    assert (error.kind, error.message) == ("TIMEOUT", "one action took more than 0.2 s")


def test_an_episode_ends_at_its_wall(jail: Jail) -> None:
    error = jail.with_limits(Limits(episode_wall_s=0.3)).failure_of(
        "sum(range(100_000)); return [0, 0]", steps=100_000
    )
    assert (error.kind, error.message) == ("TIMEOUT", "the episode took more than 0.3 s")


@pytest.mark.parametrize("body", ["return np.ones(2**28)", "x = []\nwhile True: x.append(bytearray(10**7))"])
def test_memory(jail: Jail, body: str) -> None:
    error = jail.with_limits(Limits(memory_bytes=1 << 28)).failure_of(body)
    assert error.kind == "MEMORY"
    assert error.line is not None


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("import os; os._exit(3)", "the policy's process ended itself with exit code 3"),
        ("import os; os.abort()", "the policy's process was killed by SIGABRT"),
        ("import ctypes; ctypes.string_at(0)", "the policy's process was killed by SIGSEGV"),
        ("import os; os.close(4); os.close(3)\nwhile True: pass", "closed its pipe and went on running"),
    ],
)
def test_a_process_that_ends(jail: Jail, body: str, message: str) -> None:
    error = jail.failure_of(body)
    assert error.kind == "KILLED"
    assert message in error.message


def test_other_policies_are_unharmed_by_one_that_is_killed(jail: Jail) -> None:
    with jail.process(GOOD) as good:
        good.start()
        before = good.act(observation(0))
        for body in ("import os; os._exit(1)", "import os; os.fork()", "import ctypes; ctypes.string_at(0)"):
            jail.failure_of(body)
        assert np.array_equal(before, good.act(observation(1)))


def test_a_closed_process_is_gone(jail: Jail) -> None:
    with jail.process(GOOD) as process:
        process.start()
        pidfd = os.pidfd_open(process.pid)
    import select

    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    assert poll.poll(10_000)  # readable: it has ended
    os.close(pidfd)


def test_a_cancelled_job_kills_what_runs_and_what_comes_later(jail: Jail) -> None:
    with jail.process(GOOD) as process:
        process.start()
        jail.watch.cancel()
        try:
            with pytest.raises(Cancelled):
                process.act(observation(0))
            with jail.process(GOOD) as later, pytest.raises(Cancelled):
                later.start()
        finally:
            jail.watch.resume()
    assert len(jail.actions(GOOD)) == 1
