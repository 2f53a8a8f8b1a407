"""Makes a gymnasium MuJoCo task step faster without touching what it computes.

Owns two shortcuts. MuJoCo's data hands out every array through an attribute that makes a new view; here each
is looked up once. And `do_simulation` leaves out what only tasks with contact forces read. The task's own
`step`, observation and reward are gymnasium's and run unchanged: tests hold the bits against a bare loop.
"""

from __future__ import annotations

from typing import Any, Final

_ARRAYS: Final = (
    "qpos",
    "qvel",
    "ctrl",
    "cfrc_ext",
    "cinert",
    "cvel",
    "qfrc_actuator",
    "qfrc_constraint",
    "site_xpos",
    "ten_length",
    "ten_velocity",
    "xipos",
)
"""What the tasks read at every step. MuJoCo allocates them once for a model: a view stays valid for good."""


def step_quickly(task: Any, *, contact_forces: bool) -> None:  # noqa: ANN401  gymnasium ships no types
    """Takes the shortcuts in `task`, an unwrapped environment of gymnasium that was not stepped yet.

    `contact_forces`: something reads `cfrc_ext`. Actions must have the shape of the action space.
    """
    import mujoco

    model, data, ctrl = task.model, task.data, task.data.ctrl
    mj_step, mj_forces = mujoco.mj_step, mujoco.mj_rnePostConstraint
    views, reset = _Views(data), task.reset

    def do_simulation(action: Any, frames: int) -> None:  # noqa: ANN401  whatever a policy returned
        ctrl[:] = action
        mj_step(model, data, frames)
        if contact_forces:
            mj_forces(model, data)

    def reset_with_data(**arguments: Any) -> Any:  # noqa: ANN401
        # A reset hands the data itself to MuJoCo.
        task.data = data
        try:
            return reset(**arguments)
        finally:
            task.data = views

    task.do_simulation, task.reset, task.data = do_simulation, reset_with_data, views


class _Views:
    """Looks like MuJoCo's data to whoever reads it."""

    def __init__(self, data: Any) -> None:  # noqa: ANN401
        self._data = data
        for name in _ARRAYS:
            setattr(self, name, getattr(data, name))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._data, name)
