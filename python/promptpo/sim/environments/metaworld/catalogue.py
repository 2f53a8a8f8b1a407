"""The specs of Meta-World's tasks. Owns what all of them share; imports no simulator."""

from __future__ import annotations

from promptpo.sim.environments.base import ActionSpace, EnvironmentSpec, Field, RewardKind
from promptpo.sim.environments.metaworld.facts import all_facts
from promptpo.sim.environments.naming import policy_class

HORIZON = 500
DT = 0.0125
"""Five simulator steps of 0.0025 s."""

SPECIFIED = (
    "button-press-v3",
    "button-press-topdown-v3",
    "door-open-v3",
    "drawer-close-v3",
    "drawer-open-v3",
    "peg-insert-side-v3",
    "pick-place-v3",
    "push-v3",
    "reach-v3",
    "window-close-v3",
    "window-open-v3",
)
"""Tasks whose reward is also told in formulas: the published four and MT10."""


def specs() -> tuple[EnvironmentSpec, ...]:
    """One spec a task, in Meta-World's own order; there are no variants."""
    return tuple(_spec(each) for each in all_facts())


def _spec(id: str) -> EnvironmentSpec:  # noqa: A002 - the spec's own word
    kinds: tuple[RewardKind, ...] = ("specification", "vague") if id in SPECIFIED else ("vague",)
    return EnvironmentSpec(
        id=id,
        family="metaworld",
        variant="default",
        variants=("default",),
        horizon=HORIZON,
        dt=DT,
        policy_class=policy_class(id),
        observation=(
            Field(
                "obs_vector", "float64", (39,), "m, 1", "hand, gripper, objects; the same a step before; goal"
            ),
        ),
        action=ActionSpace(kind="box", shape=(4,), dtype="float32", low=(-1.0,) * 4, high=(1.0,) * 4, n=0),
        selection="mean_success",
        reward_kinds=kinds,
        default_reward_kind=kinds[0],
        lanes=2,  # building one takes a tenth of a second and 20 MB
    )
