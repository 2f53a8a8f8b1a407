"""What a model is told of the MuJoCo tasks: the Markdown (and for rewards, Python) files of this folder.

Owns the reading of `<id>.observation.md`, `<id>.implementation.md`, `<id>.reward.py.txt`,
`<id>.specification.md` and `<id>.vague.md`. Every task of the catalogue has all five.
"""

from __future__ import annotations

from importlib.resources import files

from promptpo.sim.environments.base import EnvironmentSpec
from promptpo.sim.environments.family import Texts


def texts(spec: EnvironmentSpec) -> Texts:
    """The texts of a spec of this family."""
    return Texts(
        observation=_read(f"{spec.id}.observation.md"),
        implementation=_read(f"{spec.id}.implementation.md"),
        rewards={
            "source": _read(f"{spec.id}.reward.py.txt"),
            "specification": _read(f"{spec.id}.specification.md"),
            "vague": _read(f"{spec.id}.vague.md"),
        },
    )


def _read(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")
