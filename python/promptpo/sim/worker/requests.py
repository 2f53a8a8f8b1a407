"""Answers the requests that need a simulator: validates, runs, sends parts. One method a job of the link."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from promptpo.rollout.v1 import rollout_pb2
from promptpo.sim.environments.base import Environment, EnvironmentSpec
from promptpo.sim.errors import SimError
from promptpo.sim.v1 import sim_pb2
from promptpo.sim.worker import messages
from promptpo.sim.worker.block import Runner
from promptpo.sim.worker.episode import Outcome, Progress, SimulatorFailed, StepTimes
from promptpo.sim.worker.film import Film
from promptpo.sim.worker.policies import Policies, Program, check_source, limits_of
from promptpo.sim.worker.shelf import Shelf, built, find_spec
from promptpo.sim.worker.summary import summarize
from promptpo.sim.worker.trajectory import Trajectory, observations_of
from promptpo.types.v1 import types_pb2

MAX_SEED: Final = 2**32 - 1
"""Meta-World and gymnasium take no larger ones."""

_DRAWING_S: Final = 900.0
"""A thousand frames, one a second."""

_PIECE_BYTES: Final = 1 << 20
"""Of a video in one message."""


@dataclass(frozen=True)
class Answering:
    """Everything a job needs."""

    shelf: Shelf
    policies: Policies
    progress: Progress
    part: Callable[[bytes], None]

    def episodes(self, request: sim_pb2.RunBlockRequest) -> None:
        """RunBlock: a trajectory where asked for, timings, then their episode, seed after seed."""
        spec = find_spec(request.environment, request.variant)
        seeds = checked_seeds(request.seeds)
        one_object = request.policy_lifetime == types_pb2.POLICY_LIFETIME_EVALUATION
        program = policy_program(request.policy_source, request.limits, one_object)
        capture = request.capture
        recorded: dict[int, Trajectory] = {}

        def recorder_of(seed: int) -> Trajectory | None:
            if capture.all or seed in capture.seeds:
                recorded[seed] = Trajectory(spec, capture.stride, seed)
            return recorded.get(seed)

        def report(outcome: Outcome, times: StepTimes) -> None:
            trajectory = recorded.pop(outcome.seed, None)
            if trajectory is not None:
                shown = sim_pb2.Trajectory(seed=outcome.seed, npz=trajectory.npz())
                self.part(sim_pb2.RunBlockResponse(trajectory=shown).SerializeToString())
            if times.act_s:
                timings = messages.step_timings(outcome.seed, times)
                self.part(sim_pb2.RunBlockResponse(timings=timings).SerializeToString())
            result = messages.episode_result(outcome)
            self.part(sim_pb2.RunBlockResponse(episode=result).SerializeToString())

        with self._environments(spec, 1 if one_object else len(seeds)) as environments:
            runner = Runner(self.policies, environments, program, self.progress)
            (runner.one_object if one_object else runner.episodes)(seeds, recorder_of, report)

    def summarize(self, request: sim_pb2.SummarizeRequest) -> None:
        """Summarize: episodes first, then the program on each."""
        spec = find_spec(request.environment, request.variant)
        check_source(request.feedback_source, "feedback_source")
        program = Program("summarize", request.feedback_source, limits_of(request.limits, "limits"))
        if request.trajectories:
            episodes = [
                (given.seed, observations_of(spec, given.npz, f"trajectories[{index}].npz"))
                for index, given in enumerate(request.trajectories)
            ]
            step_count = 0
        else:
            recorded, step_count = self._simulated(spec, request.resimulation)
            episodes = [(seed, trajectory.observations) for seed, trajectory in recorded]
        summaries = []
        for seed, observations in episodes:
            self.progress.seed, self.progress.step = seed, 0
            summary = summarize(self.policies, spec, program, seed, observations)
            error = None if summary.error is None else messages.policy_error(summary.error, seed)
            summaries.append(rollout_pb2.TrajectorySummary(seed=seed, text=summary.text, error=error))
        self.part(sim_pb2.SummarizeResponse(summaries=summaries, step_count=step_count).SerializeToString())

    def render(self, request: sim_pb2.RenderRequest) -> None:
        """Render: the bytes of the mp4, then the summary. A policy's failure ends the video, not the
        request."""
        asked = request.request
        spec = find_spec(asked.environment, asked.variant)
        (seed,) = checked_seeds([asked.seed], "request.seed")
        program = policy_program(asked.policy_source, asked.limits, False, "request.")
        # Drawing takes its time, and that is not the policy's.
        patient = replace(program.limits, episode_wall_s=max(program.limits.episode_wall_s, _DRAWING_S))
        film = Film(spec, asked.stride, asked.height)
        outcomes: list[Outcome] = []
        with built(spec) as environment, film:
            filmed = film.of(environment)
            runner = Runner(self.policies, [filmed], replace(program, limits=patient), self.progress)
            runner.episodes([seed], lambda _: None, lambda outcome, _: outcomes.append(outcome))
        video = film.video()
        for start in range(0, len(video), _PIECE_BYTES):
            self.part(sim_pb2.RenderResponse(data=video[start : start + _PIECE_BYTES]).SerializeToString())
        result = messages.episode_result(outcomes[0])
        summary = sim_pb2.RenderSummary(episode=result, frame_count=film.frame_count)
        self.part(sim_pb2.RenderResponse(summary=summary).SerializeToString())

    def environment(self, request: sim_pb2.DescribeEnvironmentRequest) -> None:
        """DescribeEnvironment: one environment as it is now."""
        found = messages.environment(find_spec(request.environment, request.variant))
        self.part(sim_pb2.DescribeEnvironmentResponse(environment=found).SerializeToString())

    def _simulated(
        self, spec: EnvironmentSpec, resimulation: rollout_pb2.Resimulation
    ) -> tuple[list[tuple[int, Trajectory]], int]:
        """Episodes simulated anew, with what the policy saw, and the steps that took."""
        seeds = checked_seeds(resimulation.seeds, "resimulation.seeds")
        one_object = resimulation.policy_lifetime == types_pb2.POLICY_LIFETIME_EVALUATION
        program = policy_program(resimulation.policy_source, resimulation.limits, one_object, "resimulation.")
        recorded: dict[int, Trajectory] = {}
        outcomes: list[Outcome] = []

        def recorder_of(seed: int) -> Trajectory:
            recorded[seed] = Trajectory(spec)
            return recorded[seed]

        def report(outcome: Outcome, _: StepTimes) -> None:
            outcomes.append(outcome)

        with self._environments(spec, 1 if one_object else len(seeds)) as environments:
            runner = Runner(self.policies, environments, program, self.progress)
            (runner.one_object if one_object else runner.episodes)(seeds, recorder_of, report)
        return [(seed, recorded[seed]) for seed in seeds], sum(outcome.length for outcome in outcomes)

    @contextmanager
    def _environments(self, spec: EnvironmentSpec, most: int) -> Iterator[list[Environment]]:
        """From the shelf; ones that failed are not put back."""
        environments = self.shelf.take(spec, min(most, spec.lanes))
        try:
            yield environments
        except SimulatorFailed:
            self.shelf.discard(spec)
            raise


def checked_seeds(seeds: Sequence[int], field: str = "seeds") -> list[int]:
    """Raises SimError for seeds that no environment takes."""
    if not seeds:
        raise SimError("INVALID_SEEDS", f"{field} is empty; name at least one", {"field": field})
    if len(set(seeds)) != len(seeds):
        twice = next(seed for index, seed in enumerate(seeds) if seed in seeds[:index])
        raise SimError("INVALID_SEEDS", f"{field} holds {twice} more than once", {"field": field})
    outside = [seed for seed in seeds if not 0 <= seed <= MAX_SEED]
    if outside:
        raise SimError(
            "INVALID_SEEDS",
            f"{field} holds {outside[0]}, seeds lie between 0 and {MAX_SEED}",
            {"field": field},
        )
    return list(seeds)


def policy_program(
    source: str, limits: rollout_pb2.PolicyLimits, many_episodes: bool, prefix: str = ""
) -> Program:
    """A policy as a request gives it."""
    check_source(source, f"{prefix}policy_source")
    return Program("act", source, limits_of(limits, f"{prefix}limits"), many_episodes)
