"""Hostile policies in the real jail: what they try is stopped, and told as what it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptpo.sim.jail.testing import Jail, policy


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("open('/etc/hostname')", "Permission denied"),
        ("open('/tmp/stolen', 'w')", "Permission denied"),
        ("import os; os.listdir('/')", "Permission denied"),
        ("import socket; socket.create_connection(('127.0.0.1', 80))", "socket"),
        ("import os; os.fork()", "system call clone"),
        ("import os; os.execv('/bin/true', ['true'])", "system call execve"),
        ("import os; os.system('true')", "system call"),
        ("import subprocess; subprocess.run(['true'])", "Operation not permitted"),
        ("import os; os.kill(1, 9)", "system call kill"),
        ("import os, ctypes; ctypes.CDLL(None).ptrace(16, 1, 0, 0)", "system call ptrace"),
        ("import mmap; mmap.mmap(-1, 4096, prot=7)", "system call mmap"),
        ("import os; os.write(4, b'x' * 1000)", "forged frame"),
        ("import os; os.write(4, bytes(56))", "forged frame"),
    ],
)
def test_escapes_are_stopped_and_named(jail: Jail, body: str, message: str) -> None:
    error = jail.failure_of(body)
    assert error.kind == "ESCAPE_ATTEMPT"
    assert message in error.message


def test_a_refused_call_that_the_policy_catches_is_its_own_affair(jail: Jail) -> None:
    body = """
        try:
            open('/etc/hostname')
        except OSError:
            return [0.25, 0.0]
    """
    assert len(jail.acts(body)) == 1


def test_a_thread_cannot_be_started(jail: Jail) -> None:
    error = jail.failure_of("import threading; threading.Thread(target=print).start()")
    assert (error.kind, error.message) == ("EXCEPTION", "RuntimeError: can't start new thread")


def test_what_a_policy_prints_goes_nowhere(jail: Jail, capfd: pytest.CaptureFixture[str]) -> None:
    jail.acts("import sys; print('loud'); sys.stderr.write('louder'); sys.stdout.flush(); return [0, 0]")
    out, err = capfd.readouterr()
    assert "loud" not in out + err


def test_an_answer_to_the_wrong_question_is_forged(jail: Jail) -> None:
    # The right size and form, and a sequence number from the future: an action prepared ahead of its
    # observation.
    body = """
        import os
        from promptpo.sim.jail.frames import pack_action
        os.write(4, pack_action(7, np.zeros(2), 16))
        return [0, 0]
    """
    error = jail.failure_of(body)
    assert (error.kind, error.message) == (
        "ESCAPE_ATTEMPT",
        "the policy's process sent a forged frame: numbered 7, 1 was due",
    )


def test_a_claim_that_only_the_worker_can_make_is_forged(jail: Jail) -> None:
    body = """
        import os
        from promptpo.sim.jail import frames
        from promptpo.sim.policy_error import PolicyError
        blob = frames.pack_failure(PolicyError("TIMEOUT", "not my fault"))
        os.write(4, frames.pack_status(1, frames.FAILURE, len(blob), 16) + blob)
        os._exit(0)
    """
    assert jail.failure_of(body).message.endswith("claims to have failed as 'TIMEOUT'")


def test_the_process_is_confined_as_the_kernel_sees_it(jail: Jail) -> None:
    with jail.process(policy("return [0, 0]")) as process:
        process.start()
        status = Path(f"/proc/{process.pid}/status").read_text()
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status
    assert "Threads:\t1" in status
