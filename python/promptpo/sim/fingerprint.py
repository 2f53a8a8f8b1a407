"""What the last bits of a result depend on: package versions, CPU architecture, a canned simulation a family.

Owns the canned simulations and the digest. Computed at the first call, kept for the process.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Final

import numpy as np
import numpy.typing as npt

from promptpo.sim.environments import registry
from promptpo.sim.environments.base import ActionSpace, Observation

PACKAGES: Final = ("gymnasium", "gymnasium-robotics", "metaworld", "mujoco", "numpy", "scipy")
"""Everything numeric between a policy's source and a return. Python itself is added as major.minor: `sum` of
floats changed with a minor version, nothing does with a patch."""

CANNED: Final[Mapping[str, str]] = {
    "mujoco": "HalfCheetah-v5",
    "metaworld": "pick-place-v3",
    "pointmaze": "PointMaze_Large-v3",
    "noiseworld": "NoiseWorld-1",
}
"""The environment that stands for each family: contacts, and for Meta-World its reset and reward."""

STEPS: Final = 100


@dataclass(frozen=True)
class Fingerprint:
    """Two machines with equal digests give equal bits, as far as this can tell."""

    packages: Mapping[str, str]
    """Package -> version, and "python" -> "3.11"."""
    architecture: str
    """"x86_64", "aarch64", ..."""
    simulations: Mapping[str, str]
    """Family -> lower-case hex sha-256 of its canned simulation."""
    digest: str
    """Lower-case hex sha-256 over the three above in canonical JSON (RFC 8785)."""


@cache
def fingerprint() -> Fingerprint:
    """The fingerprint of this process. The first call takes one to two seconds (it imports the
    simulators)."""
    packages = {name: version(name) for name in PACKAGES}
    packages["python"] = f"{sys.version_info.major}.{sys.version_info.minor}"
    architecture = platform.machine()
    simulations = {family: simulate(CANNED[family]) for family in registry.FAMILIES}
    return Fingerprint(packages, architecture, simulations, _digest(packages, architecture, simulations))


def simulate(id: str) -> str:  # noqa: A002 - the spec's own word
    """Lower-case hex sha-256 over STEPS steps of environment `id` from seed 0, with fixed actions.

    Covers every observation, reward and flag. The actions come out of exact arithmetic, so that the hash
    sees the simulator and not the functions that made them. An episode that ends is followed by that of the
    next seed.
    """
    env = registry.make(id)
    digest = hashlib.sha256()
    seed = 0
    try:
        _add(digest, env.reset(seed))
        for number in range(STEPS):
            step = env.step(_action(env.spec.action, number))
            _add(digest, step.observation)
            digest.update(
                np.array((step.reward, step.terminated, step.truncated, step.success), "<f8").tobytes()
            )
            if step.terminated or step.truncated:
                seed += 1
                _add(digest, env.reset(seed))
    finally:
        env.close()
    return digest.hexdigest()


def _add(digest: hashlib._Hash, observation: Observation) -> None:
    for field in observation:
        digest.update(field.astype(field.dtype.newbyteorder("<"), copy=False).tobytes())


def _action(space: ActionSpace, number: int) -> npt.NDArray[np.float64] | int:
    if space.kind == "discrete":
        return (number // 2 + number // 7) % space.n
    size = int(np.prod(space.shape, dtype=np.int64))
    # Eighths between -1 and 1: exact in every floating-point type.
    codes = [(7 * number + 5 * entry + number // 9) % 17 - 8 for entry in range(size)]
    return (np.array(codes, dtype=np.float64) / 8.0).reshape(space.shape)


def _digest(packages: Mapping[str, str], architecture: str, simulations: Mapping[str, str]) -> str:
    document = {"packages": dict(packages), "architecture": architecture, "simulations": dict(simulations)}
    # RFC 8785 of objects of ASCII strings: keys sorted, no blanks.
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()
