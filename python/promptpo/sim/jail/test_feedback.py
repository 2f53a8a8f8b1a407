"""Feedback programs in the real jail."""

from __future__ import annotations

import pytest

from promptpo.sim.jail.limits import Limits
from promptpo.sim.jail.testing import Jail, observation
from promptpo.sim.policy_error import PolicyFailed

FEEDBACK = "class Feedback:\n    def summarize_trajectory(self, traj):\n        "


def summarized(jail: Jail, body: str, steps: int = 5) -> str:
    with jail.process(FEEDBACK + body, mode="summarize") as process:
        process.start()
        return process.summarize([observation(step) for step in range(steps)])


def test_a_feedback_program_sees_the_whole_trajectory(jail: Jail) -> None:
    text = summarized(jail, "return f'{len(traj)} steps, last {traj[-1].vector[0]}, {traj[2].count} \u00e9'")
    assert text == "5 steps, last 4.0, 2 \u00e9"
    assert summarized(jail, "return str(traj)", 0) == "[]"


def test_a_long_trajectory_passes_the_pipe(jail: Jail) -> None:
    assert summarized(jail, "return str(sum(o.count for o in traj))", 20_000) == str(sum(range(20_000)))


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        ("return 3", "BAD_SUMMARY", "summarize_trajectory returned int, expected a str"),
        ("return 'x' * 5000", "BAD_SUMMARY", "returned 5000 bytes of text, at most 4096 are taken"),
        ("return traj[99]", "EXCEPTION", "IndexError"),
        ("open('/etc/hostname')", "ESCAPE_ATTEMPT", "Permission denied"),
    ],
)
def test_how_feedback_programs_fail(jail: Jail, body: str, kind: str, message: str) -> None:
    with pytest.raises(PolicyFailed) as caught:
        summarized(jail, body)
    assert caught.value.error.kind == kind
    assert message in caught.value.error.message


def test_a_feedback_program_that_fails_while_it_is_still_being_told(jail: Jail) -> None:
    with jail.with_limits(Limits(memory_bytes=1 << 24)).process(
        FEEDBACK + "return ''", mode="summarize"
    ) as process:
        process.start()
        with pytest.raises(PolicyFailed) as caught:
            process.summarize(observation(step) for step in range(1_000_000))
    assert caught.value.error.kind == "MEMORY"
