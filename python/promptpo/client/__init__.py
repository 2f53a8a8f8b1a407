"""The Python client of the fleet.

from promptpo.client import Client, evaluate, make_vec

with Client(rollout="127.0.0.1:23456") as fleet:
    evaluation = fleet.evaluate_policy("NoiseWorld-0", source, seeds=range(5))
    print(evaluation.summary.mean_return)

evaluate("NoiseWorld-0", source, seeds=range(5))             # the same, in one line
envs = make_vec("HalfCheetah-v5", num_envs=8)                # a gymnasium.vector.VectorEnv
envs = gymnasium.make_vec("promptpo/HalfCheetah-v5", num_envs=8)

Importing this package registers the fleet's environments with gymnasium; what calls the fleet is imported
when it is first used, so that the modules that the sidecar shares (spaces, packing) cost it nothing more.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from promptpo.client.making import gymnasium_id, make, make_vec, register, register_all, register_known

if TYPE_CHECKING:
    from promptpo.client.client import Client, Evaluation
    from promptpo.client.connection import Tls
    from promptpo.client.env import FleetEnv
    from promptpo.client.errors import FleetError, Violation
    from promptpo.client.evaluating import evaluate
    from promptpo.client.reasons import REASONS, ReasonRow
    from promptpo.client.vector_env import FleetVectorEnv
    from promptpo.client.watch import WatchedEvent, has_ended

__all__ = [
    "REASONS",
    "Client",
    "Evaluation",
    "FleetEnv",
    "FleetError",
    "FleetVectorEnv",
    "ReasonRow",
    "Tls",
    "Violation",
    "WatchedEvent",
    "evaluate",
    "gymnasium_id",
    "has_ended",
    "make",
    "make_vec",
    "register",
    "register_all",
]

_HOMES: Final = {
    "Client": "client",
    "Evaluation": "client",
    "FleetEnv": "env",
    "FleetError": "errors",
    "FleetVectorEnv": "vector_env",
    "REASONS": "reasons",
    "ReasonRow": "reasons",
    "Tls": "connection",
    "Violation": "errors",
    "WatchedEvent": "watch",
    "evaluate": "evaluating",
    "has_ended": "watch",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = found
    return found


register_known()
