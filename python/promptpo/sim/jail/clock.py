"""The virtual clock: `time.*` and `datetime.now` inside a policy read simulated time.

Owns the replacement of the module functions, installed once in the warm parent, before the modules that copy
them are imported. Simulated time is observations so far times dt: it stands still while a policy computes,
and sleeping takes no time. `numpy.datetime64("now")` reads the real clock in C and is not covered.
"""

# ruff: noqa: ANN401  functions of the standard library are stood in for, with their signatures
from __future__ import annotations

import datetime as datetime_module
import time as time_module
from collections.abc import Callable
from typing import Any


class VirtualClock:
    """Simulated time in seconds since the process's first observation.

    The child says how it is read: few policies ask for the time, and none must pay for it at every step.
    """

    __slots__ = ("read",)

    def __init__(self) -> None:
        self.read: Callable[[], float] = float

    @property
    def now(self) -> float:
        """The time now; 0.0 before the first observation."""
        return self.read()


def install() -> VirtualClock:
    """Replaces the clocks of this process and returns the one they read from now on."""
    clock = VirtualClock()
    real_localtime, real_gmtime = time_module.localtime, time_module.gmtime
    real_ctime, real_asctime, real_strftime = time_module.ctime, time_module.asctime, time_module.strftime

    def seconds(*_: Any) -> float:
        return clock.now

    def nanoseconds(*_: Any) -> int:
        return round(clock.now * 1e9)

    for name in ("time", "monotonic", "perf_counter", "process_time", "thread_time", "clock_gettime"):
        setattr(time_module, name, seconds)
        setattr(time_module, f"{name}_ns", nanoseconds)

    def sleep(duration: float, /) -> None:
        if duration < 0:
            raise ValueError("sleep length must be non-negative")

    replacements: dict[str, Any] = {
        "sleep": sleep,
        "localtime": lambda secs=None: real_localtime(clock.now if secs is None else secs),
        "gmtime": lambda secs=None: real_gmtime(clock.now if secs is None else secs),
        "ctime": lambda secs=None: real_ctime(clock.now if secs is None else secs),
        "asctime": lambda t=None: real_asctime(real_localtime(clock.now) if t is None else t),
        "strftime": lambda form, t=None: real_strftime(form, real_localtime(clock.now) if t is None else t),
    }
    for name, function in replacements.items():
        setattr(time_module, name, function)
    datetime_module.datetime = _virtual_datetime(clock)  # type: ignore[misc]
    return clock


def _virtual_datetime(clock: VirtualClock) -> type[datetime_module.datetime]:
    """`datetime.datetime` whose now() reads `clock`: the C class asks the kernel itself and cannot be
    patched.

    `date.today()` needs nothing: it calls `time.time`.
    """
    real: Any = datetime_module.datetime

    class Meta(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, real)

        def __subclasscheck__(cls, subclass: type) -> bool:
            return issubclass(subclass, real)

    class datetime(real, metaclass=Meta):  # type: ignore[misc]  # noqa: N801  stands in for the class of that name
        """The class of the same name, reading simulated time."""

        @classmethod
        def now(cls, tz: datetime_module.tzinfo | None = None) -> Any:
            return cls.fromtimestamp(clock.now, tz)

        @classmethod
        def utcnow(cls) -> Any:
            return cls.fromtimestamp(clock.now, datetime_module.UTC).replace(tzinfo=None)

        @classmethod
        def today(cls) -> Any:
            return cls.fromtimestamp(clock.now)

    datetime.__module__, datetime.__qualname__ = "datetime", "datetime"
    return datetime
