"""How the fields beyond the common ones are read from MuJoCo's data.

Owns one function a field. Each is bound once to the data of a simulator: the arrays that the data hands out
stay views of the simulator's memory, and asking for them anew at each step costs more than reading them.
Imports no simulator.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

Reader = Callable[[], Array]
"""Reads a field as it is now: a new float64 array of the field's shape."""


class Place(Protocol):
    """A body or a site, as MuJoCo's data shows it."""

    xpos: Array
    """Position in the world, (3,)."""


class Model(Protocol):
    """What readers use of MuJoCo's `mjModel`."""

    body_mass: Array


class Data(Protocol):
    """What readers use of MuJoCo's `mjData`. Row 0 of what is kept for each body is the world's, always 0."""

    model: Model
    qpos: Array
    ctrl: Array
    qfrc_actuator: Array
    xipos: Array
    cinert: Array
    cvel: Array
    cfrc_ext: Array

    def body(self, name: str) -> Place:
        """The body of this name."""

    def site(self, name: str) -> Place:
        """The site of this name."""


Bind = Callable[[Data], Reader]
"""Makes a field's reader for one simulator."""


def x_and_zero(data: Data) -> Reader:
    """(qpos[0], 0): of a planar robot. Not the body's `xpos`: that one lags a substep behind qpos."""
    copy_of_two = data.qpos[0:2].copy

    def read() -> Array:
        pair = copy_of_two()
        pair[1] = 0.0
        return pair

    return read


def x(data: Data) -> Reader:
    """qpos[0], a scalar."""
    return data.qpos[0:1].reshape(()).copy


def xy(data: Data) -> Reader:
    """qpos[0:2]."""
    return data.qpos[0:2].copy


def body(name: str) -> Bind:
    """Position of a body, a substep behind qpos."""
    return lambda data: data.body(name).xpos.copy


def body_xy(name: str) -> Bind:
    """The same without z."""
    return lambda data: data.body(name).xpos[0:2].copy


def site(name: str) -> Bind:
    """Position of a site, a substep behind qpos."""
    return lambda data: data.site(name).xpos.copy


def between(tip: str, target: str) -> Bind:
    """Position of body `tip` minus that of body `target`."""

    def bind(data: Data) -> Reader:
        end, start = data.body(tip).xpos, data.body(target).xpos
        return lambda: end - start

    return bind


def mass_center_xy(data: Data) -> Reader:
    """Centre of mass of all bodies, in the arithmetic of gymnasium's own: the reward is made of its bits."""
    masses, places, total = data.model.body_mass, data.xipos, data.model.body_mass.sum()
    return lambda: (np.einsum("b,bj->j", masses, places) / total)[0:2].copy()


def ctrl(data: Data) -> Reader:
    """The action as the simulator took it: float64, not cut to the motors' range."""
    return data.ctrl.copy


def actuator_torques(data: Data) -> Reader:
    """`qfrc_actuator` of the hinges; the six entries before are those of the free root, always 0."""
    return data.qfrc_actuator[6:].copy


def inertias(data: Data) -> Reader:
    """`cinert` without the world's row."""
    return data.cinert[1:].copy


def velocities(data: Data) -> Reader:
    """`cvel` without the world's row."""
    return data.cvel[1:].copy


def contact_forces(data: Data) -> Reader:
    """`cfrc_ext` without the world's row, not cut to any range."""
    return data.cfrc_ext[1:].copy
