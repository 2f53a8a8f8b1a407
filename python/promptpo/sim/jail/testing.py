"""For tests: a short way to run a policy in the real jail."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from promptpo.sim.jail.action import Action, ActionJudge, ActionRules
from promptpo.sim.jail.frames import FieldLayout, Setup
from promptpo.sim.jail.limits import Limits
from promptpo.sim.jail.policy_process import PolicyProcess
from promptpo.sim.jail.warm_parent import WarmParent
from promptpo.sim.jail.watch import Watch
from promptpo.sim.policy_error import PolicyError, PolicyFailed

BOX = ActionRules("box", (2,), (-1.0, -1.0), (1.0, 1.0), 0)
CODES = ActionRules("discrete", (), (), (), 4)


@dataclass
class Jail:
    """Runs policies that see `obs.vector` (three numbers, the step first) and `obs.count` (the step)."""

    parent: WarmParent
    watch: Watch
    rules: ActionRules = BOX
    limits: Limits = field(default_factory=Limits)

    def with_rules(self, rules: ActionRules) -> Jail:
        """The same jail for an environment with other actions."""
        return replace(self, rules=rules)

    def with_limits(self, limits: Limits) -> Jail:
        """The same jail with other limits."""
        return replace(self, limits=limits)

    def process(self, source: str, key: str = "0:policy", mode: str = "act") -> PolicyProcess:
        """A process that is not started yet; the caller closes it."""
        setup = Setup(
            mode="act" if mode == "act" else "summarize",
            source=source,
            class_name="TaskPolicy" if mode == "act" else "Feedback",
            fields=(FieldLayout("vector", "float64", (3,)), FieldLayout("count", "int64", ())),
            action_bytes=self.rules.room_bytes,
            dt=0.5,
            entropy_key=key,
            memory_bytes=self.limits.memory_bytes,
            cpu_s=0,
            text_bytes=self.limits.text_bytes,
        )
        return PolicyProcess(self.parent, self.watch, setup, self.limits, ActionJudge(self.rules))

    def actions(self, source: str, steps: int = 1, key: str = "0:policy") -> list[Action]:
        """What a policy answers to `steps` observations. Raises PolicyFailed."""
        with self.process(source, key) as process:
            process.start()
            return [process.act(observation(step)) for step in range(steps)]

    def acts(self, body: str, steps: int = 1, key: str = "0:policy") -> list[Action]:
        """The same for the body of `act`."""
        return self.actions(policy(body), steps, key)

    def failure(self, source: str, steps: int = 1) -> PolicyError:
        """How a policy fails that has to."""
        with pytest.raises(PolicyFailed) as caught:
            self.actions(source, steps)
        return caught.value.error

    def failure_of(self, body: str, steps: int = 1) -> PolicyError:
        """The same for the body of `act`."""
        return self.failure(policy(body), steps)


def observation(step: int) -> tuple[npt.NDArray[Any], ...]:
    """What the policy sees at a step."""
    return np.array([step, 0.25, -1.5]), np.array(step)


def policy(body: str) -> str:
    """A source whose `act` has this body."""
    return "import numpy as np\nclass TaskPolicy:\n    def act(self, obs):\n" + textwrap.indent(
        textwrap.dedent(body).strip(), "        "
    )
