"""Proximal policy optimisation in one file, in the manner of CleanRL, for continuous actions.

python ppo.py [ENVIRONMENT] [TOTAL_STEPS]

Needs torch beside the client. An update pauses the environments; the client keeps their lease through it.
Not run in CI; tried by hand, with torch 2.8.0 on a CPU and gymnasium 1.4.0: README.md has the outcome.
"""

# ruff: noqa: T201 - what it prints is its purpose
import sys
from dataclasses import dataclass

import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.wrappers.vector import (
    ClipAction,
    NormalizeObservation,
    NormalizeReward,
    RecordEpisodeStatistics,
    TransformObservation,
    TransformReward,
)
from torch import nn

from promptpo.client import FleetError, make_vec


@dataclass(frozen=True)
class Settings:
    """Of the algorithm; CleanRL's for continuous actions, but for the number of environments."""

    environments: int = 8
    rollout_steps: int = 256
    epochs: int = 10
    minibatches: int = 32
    total_steps: int = 200_000
    learning_rate: float = 3e-4
    gamma: float = 0.99
    gae_lambda: float = 0.95
    clip: float = 0.2
    value_weight: float = 0.5
    max_gradient: float = 0.5
    seed: int = 1


def layer(inputs: int, outputs: int, gain: float = 2**0.5) -> nn.Linear:
    """A linear layer, orthogonal at first."""
    made = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(made.weight, gain)
    nn.init.zeros_(made.bias)
    return made


class Agent(nn.Module):
    """Actor and critic."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.critic = nn.Sequential(layer(inputs, 64), nn.Tanh(), layer(64, 64), nn.Tanh(), layer(64, 1, 1.0))
        self.actor = nn.Sequential(
            layer(inputs, 64), nn.Tanh(), layer(64, 64), nn.Tanh(), layer(64, outputs, 0.01)
        )
        self.log_std = nn.Parameter(torch.zeros(1, outputs))

    def value(self, observations: torch.Tensor) -> torch.Tensor:
        """What is expected from here."""
        return self.critic(observations).squeeze(-1)

    def policy(self, observations: torch.Tensor) -> torch.distributions.Distribution:
        """Of actions."""
        normal = torch.distributions.Normal(self.actor(observations), self.log_std.exp())
        return torch.distributions.Independent(normal, 1)


def environments(name: str, settings: Settings) -> VectorEnv:
    """The fleet's, with CleanRL's wrappers."""
    envs: VectorEnv = make_vec(
        name, settings.environments, autoreset_mode=AutoresetMode.NEXT_STEP, seed=settings.seed
    )
    envs = ClipAction(RecordEpisodeStatistics(envs))
    envs = NormalizeObservation(envs)
    envs = TransformObservation(envs, lambda rows: np.clip(rows, -10, 10), envs.observation_space)
    return TransformReward(NormalizeReward(envs, settings.gamma), lambda rows: np.clip(rows, -10, 10))


def train(name: str, settings: Settings) -> None:
    """Learns and prints the mean return of the episodes that ended within each iteration."""
    torch.manual_seed(settings.seed)
    envs = environments(name, settings)
    shape = (settings.rollout_steps, settings.environments)
    agent = Agent(envs.single_observation_space.shape[0], envs.single_action_space.shape[0])
    optimizer = torch.optim.Adam(agent.parameters(), lr=settings.learning_rate, eps=1e-5)

    observations = torch.zeros((*shape, envs.single_observation_space.shape[0]))
    actions = torch.zeros((*shape, envs.single_action_space.shape[0]))
    log_probs, rewards, values = torch.zeros(shape), torch.zeros(shape), torch.zeros(shape)
    ended, resetting = torch.zeros(shape), torch.zeros(shape)

    def tensor(array: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(np.asarray(array), dtype=torch.float32)

    first, _ = envs.reset()
    here, just_ended = tensor(first), torch.zeros(settings.environments)
    iterations = settings.total_steps // (settings.rollout_steps * settings.environments)
    for iteration in range(iterations):
        optimizer.param_groups[0]["lr"] = settings.learning_rate * (1 - iteration / iterations)
        finished: list[float] = []
        for step in range(settings.rollout_steps):
            observations[step], resetting[step] = here, just_ended
            with torch.no_grad():
                policy = agent.policy(here)
                actions[step] = policy.sample()
                log_probs[step], values[step] = policy.log_prob(actions[step]), agent.value(here)
            after, reward, terminated, truncated, infos = envs.step(actions[step].numpy())
            # A truncated episode is cut as if it had ended; CleanRL does the same.
            just_ended = tensor(terminated | truncated)
            here, rewards[step], ended[step] = tensor(after), tensor(reward), just_ended
            if "episode" in infos:
                finished += infos["episode"]["r"][infos["_episode"]].tolist()

        with torch.no_grad():
            following, advantage = agent.value(here), torch.zeros(settings.environments)
            advantages = torch.zeros(shape)
            for step in reversed(range(settings.rollout_steps)):
                goes_on = 1 - ended[step]
                error = rewards[step] + settings.gamma * following * goes_on - values[step]
                advantage = error + settings.gamma * settings.gae_lambda * goes_on * advantage
                advantages[step], following = advantage, values[step]
        # The step that resets (NEXT_STEP) ignores its action: nothing is learnt from it.
        kept = (resetting == 0).flatten()
        flat = [
            rows.flatten(0, 1)[kept]
            for rows in (observations, actions, log_probs, advantages, advantages + values)
        ]
        for _ in range(settings.epochs):
            for rows in torch.randperm(len(flat[0])).chunk(settings.minibatches):
                seen, done, old, gain, goal = (each[rows] for each in flat)
                ratio = (agent.policy(seen).log_prob(done) - old).exp()
                gain = (gain - gain.mean()) / (gain.std() + 1e-8)
                clipped = ratio.clamp(1 - settings.clip, 1 + settings.clip)
                surrogate = torch.min(ratio * gain, clipped * gain).mean()
                loss = settings.value_weight * 0.5 * (agent.value(seen) - goal).square().mean() - surrogate
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(agent.parameters(), settings.max_gradient)
                optimizer.step()

        steps = (iteration + 1) * settings.rollout_steps * settings.environments
        if finished:
            print(
                f"{steps} steps: mean return {np.mean(finished):.1f} over {len(finished)} episodes",
                flush=True,
            )
    envs.close()


if __name__ == "__main__":
    chosen = Settings(total_steps=int(sys.argv[2])) if len(sys.argv) > 2 else Settings()
    try:
        train(sys.argv[1] if len(sys.argv) > 1 else "HalfCheetah-v5", chosen)
    except FleetError as error:
        sys.exit(str(error))
