"""How a policy (or a feedback program) fails: a value that travels in results, never an RPC error.

Owns the kinds and the bounds of what hostile code may put into a message. Refuses to know processes and
frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

ErrorKind: TypeAlias = Literal[
    "SYNTAX",
    "NO_CLASS",
    "EXCEPTION",
    "BAD_ACTION",
    "TIMEOUT",
    "CPU",
    "MEMORY",
    "KILLED",
    "ESCAPE_ATTEMPT",
    "BAD_SUMMARY",
]
"""SYNTAX: does not compile. NO_CLASS: no class with a callable `act` could be chosen. EXCEPTION: it
raised. BAD_ACTION: shape, kind or a value that is not finite. TIMEOUT: the wall-clock backstop. CPU: the
limit of CPU time. MEMORY: the limit of address space. KILLED: the process ended by itself or by a signal
that was not ours. ESCAPE_ATTEMPT: a forbidden system call, refused or fatal, or a forged frame.
BAD_SUMMARY: a feedback program's answer was no string or too long. The names are those of
`promptpo.types.v1.PolicyError.Kind` without its prefix."""

KINDS: Final[frozenset[ErrorKind]] = frozenset(get_args(ErrorKind))

MESSAGE_CHARACTERS: Final = 4_000
"""A message ends up in a prompt; longer ones carry no more news."""

TRACEBACK_CHARACTERS: Final = 16_000
"""Room for the some twenty frames that are kept of a deep recursion, with their source lines."""


@dataclass(frozen=True)
class PolicyError:
    """What went wrong, at which step, on which line of the policy's source."""

    kind: ErrorKind
    message: str
    traceback: str = ""
    """The policy's own frames with source lines, the file shown as "policy.py"; empty where there are
    none."""
    step: int | None = None
    """Index of the observation that was being answered (0 = the first); None before the first one."""
    line: int | None = None
    """Line in the source, from 1."""
    column: int | None = None
    """Column in that line, from 1."""

    def at_step(self, step: int | None) -> PolicyError:
        """The same error, placed at `step`."""
        return PolicyError(self.kind, self.message, self.traceback, step, self.line, self.column)


class PolicyFailed(Exception):
    """Carries a PolicyError from where it is found to the episode's result. Never leaves the worker."""

    def __init__(self, error: PolicyError) -> None:
        super().__init__(f"{error.kind}: {error.message}")
        self.error = error


def shorten(text: str, characters: int) -> str:
    """`text` in at most `characters` characters: the middle is cut, since cause and place are at the ends."""
    if len(text) <= characters:
        return text
    mark = "\n[... cut ...]\n"
    kept = characters - len(mark)
    head = kept // 2
    return text[:head] + mark + text[len(text) - (kept - head) :]
