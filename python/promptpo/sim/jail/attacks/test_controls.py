"""Attacks without the jail: they work. What cannot succeed anywhere would prove nothing by failing inside."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from promptpo.sim.jail.attacks import FAMILIES
from promptpo.sim.jail.attacks.attack import AT_STEP, HONEST, SUCCEEDED, Attack
from promptpo.sim.jail.attacks.target import Target

ATTACKS = [attack for of in FAMILIES.values() for attack in of if attack.works_without_jail]

# Runs each policy that it is sent in a fork; what the fork says, or makes others say, is the answer.
PLAIN = f"""
import json, os, sys
import numpy
for line in sys.stdin:
    read, write = os.pipe()
    if os.fork() == 0:
        os.dup2(write, 1)
        os.set_inheritable(1, True)
        try:
            names = {{}}
            exec(compile(json.loads(line), "policy.py", "exec"), names)
            policy = names["NoiseWorldPolicy"]()
            for _ in range({AT_STEP + 1}):
                policy.act(None)
            said = "played on"
        except BaseException as error:
            said = f"{{type(error).__name__}}: {{error}}"
        os.write(1, said.encode())
        os._exit(0)
    os.close(write)
    print(json.dumps(os.read(read, 10_000).decode()), flush=True)
    os.close(read)
    os.wait()
"""


@dataclass(frozen=True)
class Plain:
    process: subprocess.Popen[str]
    target: Target

    def tries(self, source: str) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(source) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        assert isinstance(answer, str)
        return answer


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plain]:
    with contextlib.ExitStack() as stack:
        target = stack.enter_context(Target(tmp_path_factory.mktemp("target")))
        process = subprocess.Popen(
            [sys.executable, "-c", PLAIN],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[4],
        )
        yield Plain(process, target)
        process.communicate(timeout=30)
        assert process.returncode == 0


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
def test_the_attack_works_without_the_jail(plain: Plain, attack: Attack) -> None:
    said = plain.tries(attack.source(plain.target.names))
    assert SUCCEEDED in said or plain.target.harm() != [], said


def test_an_honest_policy_plays_on_and_harms_nobody(plain: Plain) -> None:
    assert plain.tries(HONEST) == "played on"
    plain.target.harm()
    assert plain.target.harm() == []


def test_there_are_enough_of_both() -> None:
    assert len(ATTACKS) >= 20
    assert sum(len(of) for of in FAMILIES.values()) >= 60
