"""The Python client of the fleet.

from promptpo.client import Client

with Client(rollout="127.0.0.1:7002") as fleet:
    evaluation = fleet.evaluate_policy("NoiseWorld-0", source, seeds=range(5))
    print(evaluation.summary.mean_return)
"""

from promptpo.client.client import Client, Evaluation
from promptpo.client.connection import Tls
from promptpo.client.errors import FleetError, Violation
from promptpo.client.reasons import REASONS, ReasonRow
from promptpo.client.watch import WatchedEvent, has_ended

__all__ = [
    "REASONS",
    "Client",
    "Evaluation",
    "FleetError",
    "ReasonRow",
    "Tls",
    "Violation",
    "WatchedEvent",
    "has_ended",
]
