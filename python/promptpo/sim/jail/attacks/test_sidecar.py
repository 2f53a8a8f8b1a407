"""Attacks in some episodes of a block, through a whole sidecar: the others are what they are without them."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration

from promptpo.rollout.v1 import rollout_pb2
from promptpo.sim.jail.attacks import FAMILIES
from promptpo.sim.jail.attacks.attack import AT_STEP, HONEST, SOMETIMES, SUCCEEDED
from promptpo.sim.jail.attacks.target import Target
from promptpo.sim.server.testing import Sidecar
from promptpo.types.v1 import types_pb2

SEEDS = list(range(8))
LIMITS = rollout_pb2.PolicyLimits(action_cpu=Duration(nanos=200_000_000), memory_bytes=1 << 28)
CHOSEN = (
    ("files", "reads a file"),
    ("network", "connects by TCP"),
    ("processes", "forks"),
    ("processes", "signals the worker"),
    ("bombs", "asks for more than there is"),
    ("loops", "ignores all signals and loops in C"),
    ("crashes", "reads at address 0"),
    ("kernel", "maps code of its own"),
    ("answers", "says that it could not be confined"),
    ("scores", "puts itself on the goal"),
)


@pytest.mark.parametrize(("family", "name"), CHOSEN)
def test_an_attack_in_some_episodes_of_a_block(
    sidecar: Sidecar, tmp_path: Path, family: str, name: str
) -> None:
    attack = next(attack for attack in FAMILIES[family] if attack.name == name)
    honest = sidecar.episodes("NoiseWorld-1", HONEST, SEEDS)
    worker_and_parent = sidecar.descendants()[:2]
    with Target(tmp_path) as target:
        source = attack.source(target.names, SOMETIMES)
        episodes = sidecar.episodes("NoiseWorld-1", source, SEEDS, limits=LIMITS)
        assert target.harm() == []

    assert [episode.seed for episode in episodes] == SEEDS
    attacked = [episode for episode in episodes if episode.HasField("error")]
    assert (len(attacked) == 0) == (attack.kind is None)
    assert len(attacked) < len(SEEDS)
    for episode in attacked:
        kind = types_pb2.PolicyError.Kind.Name(episode.error.kind)
        assert (kind, episode.error.step, episode.length) == (f"KIND_{attack.kind}", AT_STEP, AT_STEP)
        assert attack.says in episode.error.message
        assert SUCCEEDED not in episode.error.message
    for episode, alone in zip(episodes, honest, strict=True):
        if not episode.HasField("error"):
            assert without_times(episode) == without_times(alone)
    assert sidecar.descendants()[:2] == worker_and_parent


def without_times(episode: types_pb2.EpisodeResult) -> types_pb2.EpisodeResult:
    """What must have the same bits in two runs."""
    kept = types_pb2.EpisodeResult()
    for field in (
        *("seed", "return_value", "success", "length"),
        *("terminated", "truncated", "out_of_bounds_count"),
    ):
        setattr(kept, field, getattr(episode, field))
    return kept
