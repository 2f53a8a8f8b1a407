"""The MuJoCo tasks that are offered: sizes, time step, bounds, and the fields that a reward reads.

Owns one table, `TASKS`: a further gymnasium task is one entry here and its files in texts/. Imports no
simulator; tests hold every number against the live one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promptpo.sim.environments.base import ActionSpace, EnvironmentSpec, Field
from promptpo.sim.environments.mujoco import readers
from promptpo.sim.environments.naming import policy_class


@dataclass(frozen=True)
class Extra:
    """A field beyond the common ones, with how it is read."""

    field: Field
    bind: readers.Bind


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
    extras: tuple[Extra, ...]
    action_limit: float = 1.0
    """Every action is a float32 box of [-action_limit, action_limit]."""
    units: str = "m, rad, s"
    """What the entries of `obs_vector` are made of; "1" for those without a unit."""
    position_units: str = "m, rad"
    """The same for `qpos`."""

    @property
    def contact_forces(self) -> bool:
        """Whether anything of the task reads `cfrc_ext`, which MuJoCo computes on request only."""
        return _CONTACT_FORCES in self.extras


def _vector(name: str, size: int, description: str) -> Field:
    return Field(name, "float64", (size,), "m", description)


_CONTACT_FORCES = Extra(
    Field("cfrc_ext", "float64", (13, 6), "N m, N", "contact torque and force on each body part"),
    readers.contact_forces,
)

TASKS: tuple[Task, ...] = (
    Task(
        id="Ant-v5",
        horizon=1000,
        dt=0.05,
        observation_size=105,
        nq=15,
        nv=14,
        action_size=8,
        extras=(
            Extra(
                # The body's `xpos` and not qpos: here the reward reads the one that lags a substep behind.
                _vector("main_body_xy", 2, "position of the torso as the reward reads it"),
                readers.body_xy("torso"),
            ),
            _CONTACT_FORCES,
        ),
        units="m, 1, rad, s, N m, N",
        position_units="m, 1, rad",
    ),
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
                _vector("main_body_xy", 2, "position of the torso: x = qpos[0], y always 0"),
                readers.x_and_zero,
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
                readers.x,
            ),
        ),
    ),
    Task(
        id="Humanoid-v5",
        horizon=1000,
        dt=0.015,
        observation_size=348,
        nq=24,
        nv=23,
        action_size=17,
        extras=(
            Extra(_vector("torso_xy", 2, "position of the torso, the same as qpos[0:2]"), readers.xy),
            Extra(
                _vector("mass_center_xy", 2, "centre of mass of the whole body, as the reward reads it"),
                readers.mass_center_xy,
            ),
            Extra(
                Field("ctrl", "float64", (17,), "1", "the action of the step before, not cut"), readers.ctrl
            ),
            Extra(
                Field(
                    "cinert", "float64", (13, 10), "kg m^2, kg m, kg", "inertia and mass of each body part"
                ),
                readers.inertias,
            ),
            Extra(
                Field("cvel", "float64", (13, 6), "rad/s, m/s", "velocity of each body part"),
                readers.velocities,
            ),
            Extra(
                Field("qfrc_actuator", "float64", (17,), "N m", "torque of each joint's motor"),
                readers.actuator_torques,
            ),
            _CONTACT_FORCES,
        ),
        action_limit=0.4,
        units="m, 1, rad, s, kg m^2, kg m, kg, N m, N",
        position_units="m, 1, rad",
    ),
    Task(
        id="InvertedDoublePendulum-v5",
        horizon=1000,
        dt=0.05,
        observation_size=9,
        nq=3,
        nv=3,
        action_size=1,
        extras=(
            Extra(_vector("tip_site_pos", 3, "position of the second pole's free end"), readers.site("tip")),
        ),
        units="m, 1, rad, s, N",
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
                readers.xy,
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
                readers.between("fingertip", "target"),
            ),
            Extra(_vector("fingertip", 3, "position of the fingertip"), readers.body("fingertip")),
            Extra(_vector("target", 3, "position of the target"), readers.body("target")),
        ),
        units="1, m, rad, s",
    ),
)


def task(id: str) -> Task:  # noqa: A002 - the spec's own word
    """The task called `id`. Raises KeyError for another."""
    return {each.id: each for each in TASKS}[id]


def specs() -> tuple[EnvironmentSpec, ...]:
    """One spec a task; there are no variants."""
    return tuple(_spec(each) for each in TASKS)


def _spec(of: Task) -> EnvironmentSpec:
    # The bound as float32 holds it: the simulator's own, and an action cut to it in float32 lies within.
    limit = float(np.float32(of.action_limit))
    return EnvironmentSpec(
        id=of.id,
        family="mujoco",
        variant="default",
        variants=("default",),
        horizon=of.horizon,
        dt=of.dt,
        policy_class=policy_class(of.id),
        observation=(
            Field("obs_vector", "float64", (of.observation_size,), of.units, "gymnasium's observation"),
            Field("qpos", "float64", (of.nq,), of.position_units, "positions of all joints"),
            Field("qvel", "float64", (of.nv,), "m/s, rad/s", "velocities of all joints"),
            Field("dt", "float64", (), "s", "time between two observations"),
            *(extra.field for extra in of.extras),
        ),
        action=ActionSpace(
            kind="box",
            shape=(of.action_size,),
            dtype="float32",
            low=(-limit,) * of.action_size,
            high=(limit,) * of.action_size,
            n=0,
        ),
        selection="mean_return",
        reward_kinds=("source", "specification", "vague"),
        default_reward_kind="source",
        lanes=4,
    )
