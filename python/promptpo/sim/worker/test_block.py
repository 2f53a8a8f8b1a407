"""Blocks of episodes in the worker: simulators that break, recorders, one object for many episodes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from promptpo.sim.environments import registry
from promptpo.sim.environments.base import Environment, Observation, Step
from promptpo.sim.jail.limits import Limits
from promptpo.sim.jail.testing import Jail
from promptpo.sim.worker.block import Runner
from promptpo.sim.worker.episode import Outcome, Progress, SimulatorFailed
from promptpo.sim.worker.policies import Policies, Program
from promptpo.sim.worker.shelf import CAPACITY, Shelf
from promptpo.sim.worker.trajectory import Trajectory, observations_of

RIGHT = "class NoiseWorldPolicy:\n    def act(self, obs):\n        return 3\n"


class Breaking(Environment):
    """Counts to ten and breaks in the way it is told to."""

    def __init__(self, how: str) -> None:
        self.spec = replace(registry.spec("NoiseWorld-0"), id="Breaking-v0")
        self._how = how
        self._steps = 0

    def reset(self, seed: int) -> Observation:
        self._steps = 0
        if self._how == "reset raises":
            raise RuntimeError("no more memory on the device")
        return self._observation()

    def step(self, action: object) -> Step:
        self._steps += 1
        if self._how == "step raises" and self._steps == 3:
            raise FloatingPointError("the contact solver diverged")
        reward = float("nan") if self._how == "reward is nan" else 0.1
        return Step(self._observation(), reward, False, self._steps == 10, self._steps == 2)

    def render(self) -> npt.NDArray[np.uint8]:
        return np.zeros((2, 2, 3), np.uint8)

    def close(self) -> None:
        self._steps = 0

    def _observation(self) -> Observation:
        board = np.zeros(24 if self._how == "wrong shape" else 25, np.int64)
        return (*(np.array(0.0) for _ in range(4)), board)


def run(jail: Jail, environment: Environment, source: str = RIGHT, seed: int = 4) -> Outcome:
    outcomes: list[Outcome] = []
    runner = Runner(
        Policies(jail.parent, jail.watch), environment, Program("act", source, Limits()), Progress()
    )
    runner.episodes([seed], lambda _: None, outcomes.append)
    return outcomes[0]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("reset raises", "Breaking-v0, seed 4, step 0: RuntimeError: no more memory on the device"),
        ("step raises", "Breaking-v0, seed 4, step 2: FloatingPointError: the contact solver diverged"),
        ("wrong shape", "step 0: TypeError: observation field board is int64[24], described as int64[25]"),
    ],
)
def test_a_simulator_that_breaks_is_not_the_policys_fault(jail: Jail, how: str, message: str) -> None:
    with pytest.raises(SimulatorFailed) as caught:
        run(jail, Breaking(how))
    assert caught.value.reason == "SIMULATOR_FAILED"
    assert message in caught.value.message


def test_the_return_is_the_sum_in_step_order_and_success_counts_at_any_step(jail: Jail) -> None:
    expected = 0.0
    for _ in range(10):
        expected += 0.1
    assert run(jail, Breaking("not at all")) == Outcome(4, expected, True, 10, False, True)


def test_a_reward_that_is_no_number_is_passed_on(jail: Jail) -> None:
    assert np.isnan(run(jail, Breaking("reward is nan")).return_value)


def test_a_failed_episode_keeps_what_it_had_reached(jail: Jail) -> None:
    source = RIGHT.replace("return 3", "self.n = getattr(self, 'n', 0) + 1; return 3 if self.n < 6 else None")
    outcome = run(jail, Breaking("not at all"), source)
    assert outcome.error is not None
    assert (outcome.error.kind, outcome.error.step) == ("BAD_ACTION", 5)
    assert (outcome.length, outcome.success, outcome.terminated, outcome.truncated) == (5, True, False, False)
    assert outcome.return_value == 0.5


def test_a_trajectory_comes_back_from_its_archive(jail: Jail) -> None:
    environment = registry.make("NoiseWorld-4")
    trajectory = Trajectory(environment.spec)
    runner = Runner(
        Policies(jail.parent, jail.watch), environment, Program("act", RIGHT, Limits()), Progress()
    )
    runner.episodes([1], lambda _: trajectory, lambda _: None)
    again = observations_of(environment.spec, trajectory.npz(), "given")
    assert len(again) == len(trajectory.observations) > 0
    for sent, got in zip(trajectory.observations, again, strict=True):
        assert [a.tobytes() for a in sent] == [a.tobytes() for a in got]
        assert [a.dtype for a in sent] == [a.dtype for a in got]


def test_an_empty_trajectory_has_arrays_of_no_steps() -> None:
    spec = registry.spec("HalfCheetah-v5")
    assert observations_of(spec, Trajectory(spec).npz(), "given") == []


def test_the_shelf_keeps_a_few_environments_and_closes_the_rest() -> None:
    shelf = Shelf()
    specs = [registry.spec(f"NoiseWorld-{number}") for number in range(CAPACITY + 1)]
    first = shelf.take(specs[0])
    assert shelf.take(specs[0]) is first
    for spec in specs[1:]:
        shelf.take(spec)
    assert shelf.take(specs[0]) is not first
    broken = shelf.take(specs[-1])
    shelf.discard(broken)
    assert shelf.take(specs[-1]) is not broken
    shelf.close()
