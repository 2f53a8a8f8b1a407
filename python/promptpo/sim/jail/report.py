"""Turns what a policy raised into a PolicyError, inside the policy's own process.

Owns what of a traceback is shown: the policy's frames, with source lines, and nothing of ours or of a
library's. Runs beside hostile code (an exception's own methods are the policy's) and always has an answer;
whoever reads it bounds it again.
"""

from __future__ import annotations

import errno
import linecache
import traceback
from types import FrameType
from typing import Final

from ..policy_error import ErrorKind, PolicyError

FILE_NAME: Final = "policy.py"
_FRAMES_AT_EACH_END: Final = 10
_MAX_PLACE: Final = 1 << 30
"""Line and column beyond this were made up."""


def show_source(source: str) -> None:
    """Makes tracebacks find the lines of `source`, which stands in no file."""
    linecache.cache[FILE_NAME] = (len(source), None, source.splitlines(keepends=True), FILE_NAME)


def syntax_error(error: BaseException) -> PolicyError:
    """A source that does not compile."""
    text = "".join(traceback.format_exception_only(error)).rstrip()
    if isinstance(error, SyntaxError):
        return PolicyError(
            "SYNTAX",
            f"{type(error).__name__}: {error.msg}",
            text,
            None,
            _place(error.lineno),
            _place(error.offset),
        )
    return PolicyError("SYNTAX", text)


def raised(error: BaseException) -> PolicyError:
    """An exception that came out of the policy, even one that refuses to be looked at."""
    try:
        return _told(error)
    except BaseException:
        # type() asks nobody; __name__ of a metaclass does.
        name = type.__dict__["__name__"].__get__(type(error))
        return PolicyError(_kind(error), f"{name}: the exception raised another one when it was looked at")


def _told(error: BaseException) -> PolicyError:
    kind = _kind(error)
    told = traceback.TracebackException(type(error), error, error.__traceback__, compact=True)
    message = "".join(traceback.TracebackException.format_exception_only(told)).strip()
    line = column = None
    own = [frame for frame in told.stack if frame.filename == FILE_NAME]
    if own:
        line = _place(own[-1].lineno)
        column = None if own[-1].colno is None else _place(own[-1].colno + 1)
    elif isinstance(error, SyntaxError) and error.filename == FILE_NAME:
        line, column = _place(error.lineno), _place(error.offset)
    if kind == "MEMORY" and message == "MemoryError":
        message = "MemoryError: the policy asked for more memory than it may have"
    _keep_own_frames(told, depth=0)
    return PolicyError(kind, message, "".join(told.format()).rstrip(), None, line, column)


def _place(number: object) -> int | None:
    """A line or column that can stand in a report; a SyntaxError says what the policy wrote into it."""
    return int(number) if type(number) is int and 0 < number <= _MAX_PLACE else None


def _kind(error: BaseException) -> ErrorKind:
    kind = type(error)  # isinstance would ask the error's own __class__
    number = OSError.__dict__["errno"].__get__(error) if issubclass(kind, OSError) else None
    if issubclass(kind, MemoryError) or number == errno.ENOMEM:
        return "MEMORY"
    # Inside the jail nobody but the kernel has permissions to deny: a call of the refused list that nobody
    # caught.
    if issubclass(kind, PermissionError) or number in (errno.EPERM, errno.EACCES):
        return "ESCAPE_ATTEMPT"
    return "EXCEPTION"


def interrupted(frame: FrameType | None, what: str) -> PolicyError:
    """A forbidden call made at `frame`."""
    stack = traceback.StackSummary.extract(traceback.walk_stack(frame), lookup_lines=True)
    stack.reverse()
    own = [summary for summary in stack if summary.filename == FILE_NAME][-2 * _FRAMES_AT_EACH_END :]
    text = "".join(traceback.StackSummary.from_list(own).format()).rstrip()
    shown = f"Traceback (most recent call last):\n{text}" if own else ""
    return PolicyError("ESCAPE_ATTEMPT", what, shown, None, _place(own[-1].lineno) if own else None)


def _keep_own_frames(told: traceback.TracebackException, depth: int) -> None:
    own = [frame for frame in told.stack if frame.filename == FILE_NAME]
    if len(own) > 2 * _FRAMES_AT_EACH_END:
        own = own[:_FRAMES_AT_EACH_END] + own[-_FRAMES_AT_EACH_END:]
    told.stack = traceback.StackSummary.from_list(own)
    if depth == 3:
        told.__cause__ = told.__context__ = told.exceptions = None  # a chain this long explains nothing
        return
    for linked in (told.__cause__, told.__context__, *(told.exceptions or ())):
        if linked is not None:
            _keep_own_frames(linked, depth + 1)
