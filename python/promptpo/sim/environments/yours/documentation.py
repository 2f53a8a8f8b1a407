"""An environment's own documentation (the docstring of its class), taken apart by its headings.

Owns which section belongs to which text. Leaves out what is of no use to somebody who writes a policy: how to
make the environment, versions, references.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import Final

_HEADING: Final = re.compile(r"^(#{1,6})\s+(.*?)\s*#*\s*$")
_USELESS: Final = re.compile(
    r"argument|version|reference|citation|vector|install|usage|information", re.IGNORECASE
)
_OBSERVATION: Final = re.compile(r"observation", re.IGNORECASE)
_REWARD: Final = re.compile(r"reward", re.IGNORECASE)


@dataclass(frozen=True)
class Documentation:
    """Markdown; each "" where the environment says nothing of it."""

    observation: str
    reward: str
    rest: str
    """Description, actions, starts, ends."""


def documentation(cls: type) -> Documentation:
    """What the class itself says, not what it inherits: a base class speaks of environments in general."""
    observation: list[str] = []
    reward: list[str] = []
    rest: list[str] = []
    for title, body in _sections(inspect.cleandoc(cls.__dict__.get("__doc__") or "")):
        if not body or _USELESS.search(title):
            continue
        titled = f"**{title}.** {body}" if title else body
        if _REWARD.search(title):
            reward.append(body)
        elif _OBSERVATION.search(title):
            observation.append(body)
        else:
            rest.append(titled)
    return Documentation(*("\n\n".join(part) for part in (observation, reward, rest)))


def _sections(text: str) -> list[tuple[str, str]]:
    """(title, body) of each top section; the part before the first heading has no title."""
    sections: list[tuple[str, list[str]]] = [("", [])]
    level = 0
    fenced = False
    for line in text.splitlines():
        fenced ^= line.lstrip().startswith("```")
        heading = None if fenced else _HEADING.match(line)
        # Deeper headings belong to the section above them.
        if heading is not None and (level == 0 or len(heading[1]) <= level):
            level = len(heading[1])
            sections.append((heading[2], []))
        else:
            sections[-1][1].append(line.rstrip() if heading is None else f"**{heading[2]}.**")
    return [(title, "\n".join(lines).strip()) for title, lines in sections]
