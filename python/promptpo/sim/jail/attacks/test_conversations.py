"""Attacks on longer conversations: a process of many episodes, frames larger than a pipe takes at once."""

from __future__ import annotations

import numpy as np
import pytest

from promptpo.sim.environments import registry
from promptpo.sim.jail.action import ActionJudge
from promptpo.sim.jail.attacks.attack import HONEST, QUICK
from promptpo.sim.jail.attacks.stage import Stage
from promptpo.sim.jail.frames import FieldLayout, Setup
from promptpo.sim.jail.policy_process import PolicyProcess
from promptpo.sim.jail.testing import BOX, Jail, policy
from promptpo.sim.policy_error import PolicyFailed

AHEAD = """
import os
from promptpo.sim.jail import frames

def answers(numbers, action, room):
    for number in numbers:
        os.write(4, frames.pack_action(number, np.asarray(action), room))
"""


def test_an_answer_too_many_at_an_episodes_end_fails_the_next_episode_only(jail: Jail) -> None:
    stage = Stage(jail, registry.make("NoiseWorld-1"))
    honest, _ = stage.one_object(HONEST, [7, 11])
    source = f"{AHEAD}\nimport numpy as np\n" + HONEST.replace(
        "        return 3",
        f"        if self.step == {honest.length - 1}: answers([self.step + 1], 1, 8)\n        return 3",
    )
    first, second, third = stage.one_object(source, [7, 11, 7])
    assert first == third == honest
    assert second.length == 0
    assert second.error is not None
    assert (second.error.kind, second.error.step) == ("ESCAPE_ATTEMPT", 0)
    assert f"numbered {honest.length}, {honest.length + 1} was due" in second.error.message


def test_a_policy_that_answers_without_looking_gets_what_those_actions_get(jail: Jail) -> None:
    """Early answers with the right numbers are a policy that does not look; nothing is won by them."""
    stage = Stage(jail, registry.make("NoiseWorld-1"))
    blind = HONEST.replace(
        "        self.step += 1\n",
        "        answers(range(1, 200), 3, 8)\n        while True: os.read(3, 9)\n",
    )
    honest = HONEST.replace("return 3 if self.step % 2 else 1", "return 3")
    (episode,) = stage.episodes(f"{AHEAD}\nimport numpy as np\n{blind}", [7])
    assert episode == stage.episodes(honest, [7])[0]


BIG = Setup(
    mode="act",
    source="",
    class_name="TaskPolicy",
    fields=(FieldLayout("vector", "float64", (2100,)),),
    action_bytes=BOX.room_bytes,
    dt=1.0,
    entropy_key="0:policy",
    memory_bytes=QUICK.memory_bytes,
    cpu_s=0,
    text_bytes=0,
)


@pytest.mark.parametrize(
    ("then", "kind"),
    [
        ("while True: pass", "CPU"),
        ("os.read(3, 20_000); os._exit(0)", "KILLED"),
    ],
)
def test_a_policy_that_stops_reading_large_frames(jail: Jail, then: str, kind: str) -> None:
    body = f"answers(range(1, 100), np.zeros(2), 16)\n{then}"
    setup = Setup(**{**BIG.__dict__, "source": AHEAD + policy(body)})
    with PolicyProcess(jail.parent, jail.watch, setup, QUICK, ActionJudge(BOX)) as process:
        process.start()
        with pytest.raises(PolicyFailed) as caught:
            exhaust(process)
    assert caught.value.error.kind == kind


def exhaust(process: PolicyProcess) -> None:
    for _ in range(100):
        process.act((np.zeros(2100),))


def test_what_a_policy_prints_goes_nowhere(jail: Jail, capfd: pytest.CaptureFixture[str]) -> None:
    jail.acts("import sys; print('loud'); sys.stderr.write('louder'); sys.stdout.flush(); return [0, 0]")
    out, err = capfd.readouterr()
    assert "loud" not in out + err
