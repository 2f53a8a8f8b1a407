"""`send` and `recv`, some environments at a time: the half that the fleet's and EnvPool's programs share."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

from serving import Measurement
from step_work import Work


def send_recv_round(work: Work, env: Any, batch: int) -> Callable[[int], Measurement]:  # noqa: ANN401 - not typed
    """Measures `work` in batches of `batch` rows. A round goes on where the last one ended, resets
    included."""
    env.async_reset()
    actions = work.actions()[:, :batch].copy()
    batches = work.amount // batch

    def measure(_round: int) -> Measurement:
        send, recv = env.send, env.recv
        begun = perf_counter()
        for number in range(batches):
            _, _, _, _, info = recv()
            send(actions[number % len(actions)], info["env_id"])
        return Measurement(perf_counter() - begun, batches * batch)

    return measure
