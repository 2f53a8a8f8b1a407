"""Reads an `environment.toml`: what its author says of an environment, checked key by key.

Owns the file's format. Refuses unknown keys and wrong types with the file, the key and what was expected;
knows no simulator and opens no other file.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from promptpo.sim.environments.base import RewardKind, Selection
from promptpo.sim.environments.unknown import BrokenEnvironment

FILE_NAME: Final = "environment.toml"
REWARD_KINDS: Final[tuple[RewardKind, ...]] = ("source", "specification", "vague")
_SELECTIONS: Final[tuple[Selection, ...]] = ("mean_return", "mean_success")
_DTYPES: Final = ("float64", "int64")
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_ENTRY_POINT: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
MAX_HORIZON: Final = 10_000_000


@dataclass(frozen=True)
class ObservationEntry:
    """One `[[observation]]`: a field of the observation object and where it is taken from."""

    name: str
    key: str
    """Dotted path into a Dict (or Tuple) observation; "" is the observation itself."""
    index: int | None
    """One entry of the first axis."""
    slice: tuple[int, int] | None
    """First and past-the-last entry of the first axis; instead of `index`."""
    dtype: str | None
    shape: tuple[int, ...] | None
    unit: str
    description: str


@dataclass(frozen=True)
class Manifest:
    """A checked `environment.toml`. None: the author leaves it to what the environment itself says."""

    id: str
    entry_point: str | None
    """"module:callable" of a module in the folder or an installed one; or else `env`."""
    env: str | None
    """An installed gymnasium id, in gymnasium's own notation."""
    arguments: Mapping[str, Any]
    horizon: int | None
    step_seconds: float | None
    policy_class: str | None
    success_key: str | None
    selection: Selection | None
    observation_text: str | None
    """Files, relative to the folder."""
    implementation_text: str | None
    reward_texts: Mapping[RewardKind, str]
    default_reward: RewardKind | None
    observation: tuple[ObservationEntry, ...]


def parse(text: str, where: str) -> Manifest:
    """The manifest in `text`; `where` names the file. Raises BrokenEnvironment."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BrokenEnvironment(f"{where}: expected TOML: {error}") from error
    table = _Table(document, where)
    id_ = table.text("id", _ID, "letters, digits, '.', '_' and '-'")
    if id_ is None:
        raise table.wrong("id", "the id under which the environment is offered", "nothing")
    entry_point = table.text("entry_point", _ENTRY_POINT, '"module:callable"')
    env = table.text("env")
    if (entry_point is None) == (env is None):
        both = "nothing" if env is None else "both"
        raise table.wrong(
            "entry_point", 'either entry_point = "module:callable" or env = "GymnasiumId-v0"', both
        )
    texts = table.table("texts")
    default_reward = table.choice("default_reward", REWARD_KINDS)
    rewards = {kind: name for kind in REWARD_KINDS if (name := texts.file(kind)) is not None}
    if default_reward is not None and default_reward not in (rewards or ("vague",)):
        raise table.wrong(
            "default_reward", f"a kind that [texts] names a file for ({', '.join(rewards)})", default_reward
        )
    manifest = Manifest(
        id=id_,
        entry_point=entry_point,
        env=env,
        arguments=table.take("arguments", dict, "a table of keyword arguments") or {},
        horizon=table.whole("horizon", 1, MAX_HORIZON),
        step_seconds=table.positive("step_seconds"),
        policy_class=table.identifier("policy_class"),
        success_key=table.text("success_key"),
        selection=table.choice("selection", _SELECTIONS),
        observation_text=texts.file("observation"),
        implementation_text=texts.file("implementation"),
        reward_texts=rewards,
        default_reward=default_reward,
        observation=_observation(table),
    )
    texts.refuse_the_rest()
    table.refuse_the_rest()
    return manifest


def _observation(table: _Table) -> tuple[ObservationEntry, ...]:
    entries: list[ObservationEntry] = []
    for number, raw in enumerate(table.take("observation", list, "[[observation]] tables") or []):
        if not isinstance(raw, dict):
            raise table.wrong("observation", "[[observation]] tables", raw)
        entry = _Table(raw, table.where, f"observation[{number}].")
        name = entry.identifier("name")
        if name is None or name.startswith("_"):
            raise entry.wrong("name", "an attribute name", "nothing" if name is None else name)
        if name in (known.name for known in entries):
            raise entry.wrong("name", "a name that no other field has", name)
        index, part = entry.whole("index", 0, 1 << 30), entry.wholes("slice")
        if part is not None and (index is not None or len(part) != 2 or not 0 <= part[0] < part[1]):
            raise entry.wrong(
                "slice", "[first, past the last] with 0 <= first < last, and no index beside it", part
            )
        entries.append(
            ObservationEntry(
                name=name,
                key=entry.text("key") or "",
                index=index,
                slice=None if part is None else (part[0], part[1]),
                dtype=entry.choice("dtype", _DTYPES),
                shape=entry.wholes("shape"),
                unit=entry.text("unit") or "1",
                description=entry.text("description") or "",
            )
        )
        entry.refuse_the_rest()
    return tuple(entries)


class _Table:
    """One TOML table: keys are taken out one by one, and what is left is unknown."""

    def __init__(self, values: dict[str, Any], where: str, prefix: str = "") -> None:
        self._values = dict(values)
        self._known: list[str] = []
        self.where = where
        self._prefix = prefix

    def wrong(self, key: str, expected: str, got: object) -> BrokenEnvironment:
        shown = got if got in ("nothing", "both") else repr(got)
        return BrokenEnvironment(f"{self.where}: {self._prefix}{key}: expected {expected}, got {shown}")

    def take(self, key: str, kind: type | tuple[type, ...], expected: str) -> Any:  # noqa: ANN401
        """The value of a key, or None where it is not there."""
        self._known.append(key)
        value = self._values.pop(key, None)
        # A bool is an int to Python and not to anybody else.
        if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
            raise self.wrong(key, expected, value)
        return value

    def text(
        self, key: str, pattern: re.Pattern[str] | None = None, expected: str = "a string"
    ) -> str | None:
        value = self.take(key, str, expected)
        if value is not None and (value == "" or (pattern is not None and not pattern.fullmatch(value))):
            raise self.wrong(key, expected, value)
        return None if value is None else str(value)

    def file(self, key: str) -> str | None:
        value = self.text(key, expected="the name of a file in the folder")
        if value is not None and (value.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", value)):
            raise self.wrong(key, "the name of a file in the folder", value)
        return value

    def identifier(self, key: str) -> str | None:
        value = self.text(key, expected="a Python name")
        if value is not None and not value.isidentifier():
            raise self.wrong(key, "a Python name", value)
        return value

    def choice(self, key: str, choices: tuple[Any, ...]) -> Any:  # noqa: ANN401
        value = self.take(key, str, f"one of {', '.join(choices)}")
        if value is not None and value not in choices:
            raise self.wrong(key, f"one of {', '.join(choices)}", value)
        return value

    def whole(self, key: str, least: int, most: int) -> int | None:
        value = self.take(key, int, f"a whole number from {least} to {most}")
        if value is not None and not least <= value <= most:
            raise self.wrong(key, f"a whole number from {least} to {most}", value)
        return value if value is None else int(value)

    def wholes(self, key: str) -> tuple[int, ...] | None:
        value = self.take(key, list, "a list of whole numbers")
        if value is not None and not all(type(each) is int and each >= 0 for each in value):
            raise self.wrong(key, "a list of whole numbers", value)
        return None if value is None else tuple(value)

    def positive(self, key: str) -> float | None:
        value = self.take(key, (int, float), "a number above 0")
        if value is not None and not 0 < value < float("inf"):
            raise self.wrong(key, "a number above 0", value)
        return None if value is None else float(value)

    def table(self, key: str) -> _Table:
        return _Table(self.take(key, dict, f"a table [{key}]") or {}, self.where, f"{key}.")

    def refuse_the_rest(self) -> None:
        for key in self._values:
            near = difflib.get_close_matches(key, self._known, n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            keys = ", ".join(self._known)
            raise BrokenEnvironment(
                f"{self.where}: {self._prefix}{key}: expected one of the keys {keys}{hint}"
            )
