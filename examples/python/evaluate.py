"""Runs a policy on five seeds and prints an episode a line.

python evaluate.py [ENVIRONMENT] [POLICY.py]
"""

# ruff: noqa: T201 - what it prints is its purpose
import sys
from pathlib import Path

from promptpo.client import Client, FleetError
from promptpo.rollout.v1.rollout_pb2 import Environment


def idle_policy(environment: Environment) -> str:
    """A policy for any environment: the middle of every action's bounds, or action 0."""
    space = environment.action_space
    action = "0"
    if space.kind == "box":
        middle = [(low + high) / 2 for low, high in zip(space.low, space.high, strict=True)]
        action = f"np.array({middle}).reshape({tuple(space.shape)})"
    return (
        f"import numpy as np\n\nclass {environment.policy_class}:\n"
        f"    def act(self, obs):\n        return {action}\n"
    )


def main() -> None:
    """Evaluates and prints."""
    name = sys.argv[1] if len(sys.argv) > 1 else "NoiseWorld-0"
    # The address comes from PROMPTPO_ROLLOUT; Client(rollout="host:port") says it here.
    with Client() as fleet:
        source = Path(sys.argv[2]).read_text() if len(sys.argv) > 2 else idle_policy(fleet.environment(name))
        evaluation = fleet.evaluate_policy(name, source, seeds=range(5))
    for episode in evaluation.episodes:
        success = ", success" if episode.success else ""
        print(f"seed {episode.seed}: return {episode.return_value}, {episode.length} steps{success}")
        # A policy's failure is a result of its episode; only the fleet's own failures are raised.
        if episode.HasField("error"):
            print(f"  failed at step {episode.error.step}: {episode.error.message}")
    summary = evaluation.summary
    print(f"mean return {summary.mean_return}, success rate {summary.success_rate}")


if __name__ == "__main__":
    try:
        main()
    except FleetError as error:
        sys.exit(str(error))
