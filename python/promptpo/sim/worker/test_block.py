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
from promptpo.sim.worker.episode import Outcome, Progress, SimulatorFailed, StepTimes
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
        Policies(jail.parent, jail.watch), [environment], Program("act", source, Limits()), Progress()
    )
    runner.episodes([seed], lambda _: None, lambda outcome, _: outcomes.append(outcome))
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


@pytest.mark.parametrize(
    ("horizon", "timed"),
    [(5, 3), (16, 3), (96, 2), (1000, 1)],  # of the ten steps that Breaking takes
)
def test_a_few_steps_are_timed_at_even_distances_the_first_one_included(
    jail: Jail, horizon: int, timed: int
) -> None:
    environment = Breaking("not at all")
    environment.spec = replace(environment.spec, horizon=horizon)
    runner = Runner(
        Policies(jail.parent, jail.watch), [environment], Program("act", RIGHT, Limits()), Progress()
    )
    seen: list[StepTimes] = []
    runner.episodes([1, 2], lambda _: None, lambda _, times: seen.append(times))
    assert [(len(times.act_s), len(times.step_s)) for times in seen] == [(timed, timed), (timed, timed)]
    assert min(seen[0].act_s + seen[1].step_s) > 0.0


def test_a_policy_that_does_not_start_has_no_timings(jail: Jail) -> None:
    source = "class NoiseWorldPolicy:\n    x = 1 / 0\n"
    runner = Runner(
        Policies(jail.parent, jail.watch),
        [Breaking("not at all")],
        Program("act", source, Limits()),
        Progress(),
    )
    seen: list[StepTimes] = []
    runner.episodes([1], lambda _: None, lambda _, times: seen.append(times))
    assert seen == [StepTimes()]


MIXED = """
import numpy as np
memory = []
class NoiseWorldPolicy:
    def __init__(self):
        self.seed = int(np.random.default_rng().integers(1 << 30))
    def act(self, obs):
        memory.append(np.random.random())
        if self.seed % 3 == 0 and len(memory) == 4:
            raise RuntimeError("every third policy gives up")
        return int(memory[-1] * 2) * 2 + 1
"""


def test_episodes_side_by_side_are_those_that_each_alone_would_be(jail: Jail) -> None:
    seeds = list(range(11))
    program = Program("act", MIXED, Limits())
    policies = Policies(jail.parent, jail.watch)
    found: list[dict[int, Outcome]] = []
    for lanes in (1, 2, 4, 16):
        environments = [registry.make("NoiseWorld-1") for _ in range(lanes)]
        outcomes: dict[int, Outcome] = {}

        def report(outcome: Outcome, _: StepTimes, into: dict[int, Outcome] = outcomes) -> None:
            assert outcome.seed not in into
            into[outcome.seed] = outcome

        Runner(policies, environments, program, Progress()).episodes(seeds, lambda _: None, report)
        assert sorted(outcomes) == seeds
        found.append(outcomes)
    assert found[1:] == found[:1] * 3
    failed = [seed for seed, outcome in found[0].items() if outcome.error is not None]
    assert 0 < len(failed) < len(seeds)


def test_a_simulator_that_breaks_ends_its_neighbours_processes_too(jail: Jail) -> None:
    environments: list[Environment] = [Breaking("not at all"), Breaking("step raises")]
    runner = Runner(
        Policies(jail.parent, jail.watch), environments, Program("act", RIGHT, Limits()), Progress()
    )
    with pytest.raises(SimulatorFailed):
        runner.episodes([1, 2, 3], lambda _: None, lambda _, __: None)
    assert jail.watch.watched_count == 0


def test_a_trajectory_comes_back_from_its_archive(jail: Jail) -> None:
    environment = registry.make("NoiseWorld-4")
    trajectory = Trajectory(environment.spec)
    runner = Runner(
        Policies(jail.parent, jail.watch), [environment], Program("act", RIGHT, Limits()), Progress()
    )
    runner.episodes([1], lambda _: trajectory, lambda _, __: None)
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
    (first,) = shelf.take(specs[0])
    assert shelf.take(specs[0], 2)[0] is first
    for spec in specs[1:]:
        shelf.take(spec)
    assert shelf.take(specs[0])[0] is not first
    (broken,) = shelf.take(specs[-1])
    shelf.discard(specs[-1])
    assert shelf.take(specs[-1])[0] is not broken
    shelf.close()
