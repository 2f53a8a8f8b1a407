"""What a model is told of a NoiseWorld board, in each variant: this folder's templates, filled.

Owns what a variant may say. Codes are listed and never explained, nothing tells where anything lies on the
board; the variant `key_info` alone says what the codes 6 and 7 are for.
"""

from __future__ import annotations

from importlib.resources import files
from string import Template

from promptpo.sim.environments.base import EnvironmentSpec
from promptpo.sim.environments.family import Texts
from promptpo.sim.environments.noiseworld.board import Board, board
from promptpo.sim.environments.noiseworld.catalogue import FLAGS, KEY_INFO, board_number


def texts(spec: EnvironmentSpec) -> Texts:
    """The texts of a spec of this family."""
    of = board(board_number(spec))
    told = spec.variant == KEY_INFO
    bonus = (
        "entering the goal's cell earns a large bonus if the first key and then the second key were taken\n"
        "before, and none otherwise"
        if told
        else "a large bonus is to be had at the goal's cell"
    )
    return Texts(
        observation=_observation(of, spec.variant),
        implementation=_fill(
            "implementation.md",
            horizon=of.horizon,
            # Without key information nothing may even hint that there is something to hold.
            keys=", whether or\nnot the keys are held" if told else "",
        ),
        rewards={"vague": _fill("vague.md", bonus=bonus)},
    )


def _observation(of: Board, variant: str) -> str:
    flags: tuple[str, ...] = FLAGS.get(variant, ())
    meanings = ("0 or 1", "0 or 1")
    keys = ""
    if variant == KEY_INFO:
        meanings = (
            "1 once the first key (code 6) was taken, else 0",
            "1 once the second key (code 7) was taken after the first, else 0",
        )
        keys = _fill("keys.md", first=flags[0], second=flags[1])
    rows = [
        f"| `obs.{name}` | int64 | scalar | {what} |\n" for name, what in zip(flags, meanings, strict=False)
    ]
    return _fill(
        "observation.md",
        n=of.n,
        last=of.n - 1,
        cells=of.n * of.n,
        codes=", ".join(str(code) for code in of.codes),
        flags="".join(rows),
        keys=keys,
    )


def _fill(name: str, **values: object) -> str:
    return Template(files(__package__).joinpath(name).read_text("utf-8")).substitute(values)
