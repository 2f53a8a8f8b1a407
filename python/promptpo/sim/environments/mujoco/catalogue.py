"""The MuJoCo tasks that are offered: sizes, time step, and the fields that a reward reads.

Owns one table, `TASKS`: a further gymnasium task is one entry here and its files in texts/. Imports no
simulator; tests hold every number against the live one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from promptpo.sim.environments.base import ActionSpace, EnvironmentSpec, Field
from promptpo.sim.environments.naming import policy_class

Reader = Callable[[], npt.NDArray[np.float64]]
"""Reads a field as it is now: a new float64 array of the field's shape."""


class Body(Protocol):
    """A body, as MuJoCo's data shows it."""

    xpos: npt.NDArray[np.float64]
    """Position in the world, (3,)."""


class Data(Protocol):
    """What readers use of MuJoCo's `mjData`."""

    qpos: npt.NDArray[np.float64]

    def body(self, name: str) -> Body:
        """The body of this name."""


@dataclass(frozen=True)
class Extra:
    """A field beyond the common ones, with how it is read."""

    field: Field
    bind: Callable[[Data], Reader]
    """Makes the reader. It may keep the arrays that the data hands out: they stay views of the simulator's
    memory, and asking for them anew at each step costs more than reading them."""


@dataclass(frozen=True)
class Task:
    """What is known of a task without making it."""

    id: str
    """gymnasium's own id; the task is `gymnasium.make(id)` with all of its defaults."""
    horizon: int
    dt: float
    observation_size: int
    nq: int
    nv: int
    action_size: int
    """Every action is a box of [-1, 1], float32."""
    extras: tuple[Extra, ...]


def _torso(data: Data) -> Reader:
    qpos = data.qpos
    return lambda: np.array((qpos[0], 0.0))


def _root_x(data: Data) -> Reader:
    return data.qpos[0:1].reshape(()).copy


def _tip(data: Data) -> Reader:
    return data.qpos[0:2].copy


def _body(name: str) -> Callable[[Data], Reader]:
    return lambda data: data.body(name).xpos.copy


def _fingertip_minus_target(data: Data) -> Reader:
    fingertip, target = data.body("fingertip").xpos, data.body("target").xpos
    return lambda: fingertip - target


def _vector(name: str, size: int, description: str) -> Field:
    return Field(name, "float64", (size,), "m", description)


TASKS: tuple[Task, ...] = (
    Task(
        id="HalfCheetah-v5",
        horizon=1000,
        dt=0.05,
        observation_size=17,
        nq=9,
        nv=9,
        action_size=6,
        extras=(
            Extra(
                # Not the body's `xpos`: that one lags a substep behind qpos, and the reward reads qpos[0].
                _vector("main_body_xy", 2, "position of the torso: x = qpos[0], y always 0"),
                _torso,
            ),
        ),
    ),
    Task(
        id="Hopper-v5",
        horizon=1000,
        dt=0.008,
        observation_size=11,
        nq=6,
        nv=6,
        action_size=3,
        extras=(
            Extra(
                Field("root_x_position", "float64", (), "m", "x position of the torso, the same as qpos[0]"),
                _root_x,
            ),
        ),
    ),
    Task(
        id="Swimmer-v5",
        horizon=1000,
        dt=0.04,
        observation_size=8,
        nq=5,
        nv=5,
        action_size=2,
        extras=(
            Extra(
                _vector("tip_xy", 2, "position of the front link's frame, the same as qpos[0:2]"),
                _tip,
            ),
        ),
    ),
    Task(
        id="Reacher-v5",
        horizon=50,
        dt=0.02,
        observation_size=10,
        nq=4,
        nv=4,
        action_size=2,
        extras=(
            Extra(
                _vector("fingertip_minus_target", 3, "fingertip - target"),
                _fingertip_minus_target,
            ),
            Extra(_vector("fingertip", 3, "position of the fingertip"), _body("fingertip")),
            Extra(_vector("target", 3, "position of the target"), _body("target")),
        ),
    ),
)


def task(id: str) -> Task:  # noqa: A002 - the spec's own word
    """The task called `id`. Raises KeyError for another."""
    return {each.id: each for each in TASKS}[id]


def specs() -> tuple[EnvironmentSpec, ...]:
    """One spec a task; there are no variants."""
    return tuple(_spec(each) for each in TASKS)


def _spec(of: Task) -> EnvironmentSpec:
    return EnvironmentSpec(
        id=of.id,
        family="mujoco",
        variant="default",
        variants=("default",),
        horizon=of.horizon,
        dt=of.dt,
        policy_class=policy_class(of.id),
        observation=(
            Field("obs_vector", "float64", (of.observation_size,), "m, rad, s", "gymnasium's observation"),
            Field("qpos", "float64", (of.nq,), "m, rad", "positions of all joints"),
            Field("qvel", "float64", (of.nv,), "m/s, rad/s", "velocities of all joints"),
            Field("dt", "float64", (), "s", "time between two observations"),
            *(extra.field for extra in of.extras),
        ),
        action=ActionSpace(
            kind="box",
            shape=(of.action_size,),
            dtype="float32",
            low=(-1.0,) * of.action_size,
            high=(1.0,) * of.action_size,
            n=0,
        ),
        selection="mean_return",
        reward_kinds=("source", "specification", "vague"),
        default_reward_kind="source",
    )
