"""Lets a model write and improve a policy, watches it, and prints the best one.

python improve.py [ENVIRONMENT] [MODEL]
"""

# ruff: noqa: T201 - what it prints is its purpose
import sys

from promptpo.client import Client, FleetError
from promptpo.optimizer.v1.optimizer_pb2 import RunSettings, RunState


def main() -> None:
    """Makes a run and follows it."""
    environment = sys.argv[1] if len(sys.argv) > 1 else "NoiseWorld-0"
    model = sys.argv[2] if len(sys.argv) > 2 else "gpt-x"
    with Client() as fleet:  # PROMPTPO_OPTIMIZER
        settings = RunSettings(environment=environment, model=model, rounds=3, candidates=4)
        run = fleet.create_run(settings, display_name="example")
        print(f"{run.id} started")

        # Ends with the run. A connection that breaks, or an optimizer that restarts, is waited for; no event
        # is lost or told twice.
        for watched in fleet.watch_run(run.id):
            event = watched.event
            kind = event.WhichOneof("kind") or "nothing"
            print(f"{event.sequence} {event.place}: {kind}, round {watched.run.round}")

        run = fleet.get_run(run.id)
    print(RunState.Name(run.state), run.cause)
    score = run.result.heldout_score
    print(f"held-out return {score.mean_return}, success rate {score.success_rate}")
    print(run.result.source)


if __name__ == "__main__":
    try:
        main()
    except FleetError as error:
        sys.exit(str(error))
