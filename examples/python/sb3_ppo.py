"""PPO of stable-baselines3 on the fleet's environments.

python sb3_ppo.py [ENVIRONMENT] [TOTAL_STEPS]

Needs stable-baselines3 beside the client. Not run in CI; tried by hand, with stable-baselines3 2.9.2 and
gymnasium 1.4.0: README.md has the outcome.
"""

# ruff: noqa: T201 - what it prints is its purpose
import sys

from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import VecMonitor

from promptpo.client import FleetError
from promptpo.client.sb3 import FleetVecEnv


def main() -> None:
    """Learns, then scores on environments of its own."""
    environment = sys.argv[1] if len(sys.argv) > 1 else "InvertedDoublePendulum-v5"
    steps = int(sys.argv[2]) if len(sys.argv) > 2 else 50_000
    envs = VecMonitor(FleetVecEnv(environment, 8))
    fresh = VecMonitor(FleetVecEnv(environment, 8))
    fresh.seed(1000)
    try:
        model = PPO("MlpPolicy", envs, n_steps=256, batch_size=256, seed=1, device="cpu", verbose=1)
        mean, deviation = evaluate_policy(model, fresh, 16)
        print(f"before: mean return {mean:.1f}, standard deviation {deviation:.1f}")
        model.learn(steps)
        mean, deviation = evaluate_policy(model, fresh, 16)
        print(f"after: mean return {mean:.1f}, standard deviation {deviation:.1f}")
    finally:
        envs.close()
        fresh.close()


if __name__ == "__main__":
    try:
        main()
    except FleetError as error:
        sys.exit(str(error))
