"""The texts of an environment that nobody wrote texts for: its spaces in words, beside its own documentation.

Owns the words. Says nothing that the spaces, the registration or the docstring do not say.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from promptpo.sim.environments.base import EnvironmentSpec
from promptpo.sim.environments.family import Texts
from promptpo.sim.environments.yours.documentation import Documentation
from promptpo.sim.environments.yours.spaces import Actions, Reader

_TABLE_ROWS: Final = 64
"""A longer vector is told by its extremes: its table would fill a prompt."""

_NO_REWARD: Final = (
    "The environment does not tell how its reward comes about. Every step brings one number; the higher "
    "their sum over the episode, the better."
)


_OWN_WORDS: Final = (
    "In the words of the environment's own documentation (where it speaks otherwise of types, shapes or "
    "numbers of steps, what stands above holds):"
)


def derived_texts(
    spec: EnvironmentSpec,
    readers: tuple[Reader, ...],
    actions: Actions,
    told: Documentation,
    reward_threshold: float | None,
) -> Texts:
    """Observation, implementation, and the reward as "vague"."""
    return Texts(
        observation=_text(observation_table(readers), *_quoted(told.observation)),
        implementation=_text(
            _action(actions),
            *_ranges(actions),
            f"**Time.** An episode has at most {spec.horizon} steps and is cut off there (truncated). One "
            f"step counts as {spec.dt:g} s.",
            "**Start and chance.** An episode is drawn by a number that differs from episode to episode; the "
            "policy does not see it.",
            _success(spec, reward_threshold),
            *_quoted(told.rest),
        ),
        rewards={"vague": _text(told.reward or _NO_REWARD)},
    )


def observation_table(readers: tuple[Reader, ...]) -> str:
    """Every field with type and shape, then the bounds of each."""
    rows = [
        f"| `obs.{each.field.name}` | {each.field.dtype} | {_shape(each.field.shape)} | {_meaning(each)} |"
        for each in readers
    ]
    parts = [
        "At every step the policy receives one object `obs` with these fields and no others:",
        "\n".join(("| field | type | shape | meaning |", "|---|---|---|---|", *rows)),
    ]
    for each in readers:
        parts += _bounds(f"obs.{each.field.name}", each.low, each.high)
    return "\n\n".join(parts)


def _meaning(reader: Reader) -> str:
    field = reader.field
    unit = "" if field.unit == "1" else f" [{field.unit}]"
    bounds = f", {_between(reader.low, reader.high)}" if field.shape == () else ""
    return f"{field.description}{unit}{bounds}"


def _bounds(name: str, low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]) -> Iterable[str]:
    if low.shape == ():
        return
    if low.ndim == 1 and len(low) <= _TABLE_ROWS:
        rows = [f"| {i} | {_number(low[i])} | {_number(high[i])} |" for i in range(len(low))]
        yield f"### {name}"
        yield "\n".join(("| index | lowest | highest |", "|---|---|---|", *rows))
    elif low.size:
        yield f"The entries of `{name}` are {_between(low.min(), high.max())}."


def _between(low: float | npt.NDArray[np.float64], high: float | npt.NDArray[np.float64]) -> str:
    if np.isinf(low) and np.isinf(high):
        return "without bounds"
    return f"between {_number(low)} and {_number(high)}"


def _action(actions: Actions) -> str:
    space = actions.space
    if space.kind == "box":
        return (
            f"**Action.** `act` returns a NumPy array of shape {space.shape!r} with finite numbers. The "
            f"environment declares {space.dtype}; another number type is passed on as it is. Values outside "
            "the bounds are passed on unchanged, too."
        )
    numbering = (
        ""
        if actions.start == 0
        else f" The environment itself counts from {actions.start}: the integer c is its action "
        f"c + {actions.start}."
    )
    return f"**Action.** `act` returns one integer from 0 to {space.n - 1}.{numbering}"


def _ranges(actions: Actions) -> Iterable[str]:
    space = actions.space
    if space.kind == "box":
        low, high = (
            np.array(bound, dtype=np.float64).reshape(space.shape) for bound in (space.low, space.high)
        )
        if space.shape == ():
            yield f"The action is {_between(low, high)}."
        yield from _bounds("action", low, high)


def _success(spec: EnvironmentSpec, threshold: float | None) -> str:
    by = (
        "the share of episodes that succeed"
        if spec.selection == "mean_success"
        else "the mean sum of rewards over episodes"
    )
    solved = "" if threshold is None else f" A mean sum of rewards of {threshold:g} counts as solved."
    return f"**Aim.** Policies are compared by {by}.{solved}"


def _shape(shape: tuple[int, ...]) -> str:
    return "scalar" if shape == () else repr(shape)


def _number(value: float | npt.NDArray[np.float64]) -> str:
    value = float(value)
    return ("-" if value < 0 else "") + "infinity" if np.isinf(value) else f"{value:.6g}"


def _quoted(words: str) -> Iterable[str]:
    return (_OWN_WORDS, words) if words else ()


def _text(*parts: str) -> str:
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"
