"""A sidecar's simulators and policies stay on its core, and nowhere else without the variable."""

from __future__ import annotations

import contextlib
import os

import pytest

from promptpo.sim.own_core import VARIABLE
from promptpo.sim.server.testing import Sidecar

ALL = os.sched_getaffinity(0)


@pytest.mark.parametrize("number", [0, 1, len(ALL) + 1])
def test_the_worker_and_its_warm_parent_keep_to_the_sidecars_core(number: int) -> None:
    with Sidecar({VARIABLE: str(number)}) as sidecar:
        assert os.sched_getaffinity(sidecar.process.pid) == ALL
        cores = cores_of(sidecar)
        assert len(cores) >= 2
        assert set(cores) == {frozenset({sorted(ALL)[number % len(ALL)]})}


def test_they_may_go_anywhere_without_the_variable(sidecar: Sidecar) -> None:
    assert set(cores_of(sidecar)) == {frozenset(ALL)}


def cores_of(sidecar: Sidecar) -> list[frozenset[int]]:
    """Where the sidecar's processes may run, of those that still do."""
    found = []
    for pid in sidecar.descendants():
        with contextlib.suppress(ProcessLookupError):
            found.append(frozenset(os.sched_getaffinity(pid)))
    return found
