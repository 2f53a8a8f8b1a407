"""Keeps what steps to the core that its sidecar was given: `PROMPTPO_SIDECAR_CORE`, a number from 0.

A policy and its simulator wake each other at every step: on one core that costs some 6 us, across two of them
36 us and the caches. Two sidecars on one core, while another one idles, are what a scheduler makes of short
sleeps. Without the variable, or where the system refuses, nothing is kept.
"""

from __future__ import annotations

import contextlib
import os
from typing import Final

VARIABLE: Final = "PROMPTPO_SIDECAR_CORE"


def keep_to_own_core() -> None:
    """This process and all that it starts; counted over the cores that it may use, and round again."""
    number = os.environ.get(VARIABLE, "")
    if number.isdecimal():
        allowed = sorted(os.sched_getaffinity(0))
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, {allowed[int(number) % len(allowed)]})
