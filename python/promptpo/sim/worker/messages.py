"""From values to the contract's messages: outcomes, failures, environments. Nothing here decides anything."""

from __future__ import annotations

from typing import Final

from promptpo.rollout.v1 import rollout_pb2
from promptpo.sim.environments.base import EnvironmentSpec, RewardKind
from promptpo.sim.environments.texts import texts
from promptpo.sim.policy_error import PolicyError
from promptpo.sim.v1 import sim_pb2
from promptpo.sim.worker.episode import Outcome, StepTimes
from promptpo.types.v1 import types_pb2

_REWARD_KINDS: Final[dict[RewardKind, types_pb2.RewardKind.ValueType]] = {
    "source": types_pb2.REWARD_KIND_SOURCE,
    "specification": types_pb2.REWARD_KIND_SPECIFICATION,
    "vague": types_pb2.REWARD_KIND_VAGUE,
}
_SELECTIONS: Final = {
    "mean_return": types_pb2.SELECTION_MEAN_RETURN,
    "mean_success": types_pb2.SELECTION_MEAN_SUCCESS,
}


def episode_result(outcome: Outcome) -> types_pb2.EpisodeResult:
    """An episode that ended."""
    return types_pb2.EpisodeResult(
        seed=outcome.seed,
        return_value=outcome.return_value,
        success=outcome.success,
        length=outcome.length,
        terminated=outcome.terminated,
        truncated=outcome.truncated,
        out_of_bounds_count=outcome.out_of_bounds_count,
        error=None if outcome.error is None else policy_error(outcome.error, outcome.seed),
    )


def step_timings(seed: int, times: StepTimes) -> sim_pb2.StepTimings:
    """How long some steps of the episode took."""
    return sim_pb2.StepTimings(seed=seed, act_seconds=times.act_s, step_seconds=times.step_s)


def policy_error(error: PolicyError, seed: int) -> types_pb2.PolicyError:
    """A failure of a policy or a feedback program."""
    return types_pb2.PolicyError(
        kind=types_pb2.PolicyError.Kind.Value(f"KIND_{error.kind}"),
        message=error.message,
        traceback=error.traceback,
        step=-1 if error.step is None else error.step,
        line=error.line or 0,
        column=error.column or 0,
        seed=seed,
    )


def environment(spec: EnvironmentSpec) -> rollout_pb2.Environment:
    """An environment in one variant, texts included."""
    told = texts(spec.id, spec.variant)
    return rollout_pb2.Environment(
        id=spec.id,
        family=spec.family,
        variant=spec.variant,
        variants=spec.variants if len(spec.variants) > 1 else (),
        horizon=spec.horizon,
        step_seconds=spec.dt,
        policy_class=spec.policy_class,
        observation_fields=[
            rollout_pb2.ObservationField(
                name=field.name,
                dtype=field.dtype,
                shape=field.shape,
                unit="" if field.unit == "1" else field.unit,
                description=field.description,
            )
            for field in spec.observation
        ],
        action_space=rollout_pb2.ActionSpace(
            kind=spec.action.kind,
            shape=spec.action.shape,
            dtype=spec.action.dtype if spec.action.kind == "box" else "",
            low=spec.action.low,
            high=spec.action.high,
            n=spec.action.n,
        ),
        selection=_SELECTIONS[spec.selection],
        reward_kinds=[_REWARD_KINDS[kind] for kind in spec.reward_kinds],
        default_reward_kind=_REWARD_KINDS[spec.default_reward_kind],
        texts=rollout_pb2.EnvironmentTexts(
            observation=told.observation,
            implementation=told.implementation,
            rewards=[
                rollout_pb2.RewardText(kind=_REWARD_KINDS[kind], text=told.rewards[kind])
                for kind in spec.reward_kinds
            ],
        ),
        revision=spec.revision,
    )
