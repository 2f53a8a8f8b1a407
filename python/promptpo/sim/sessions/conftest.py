"""A sidecar for each module of tests, and the ends of the streams that a test leaves open."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from promptpo.sim.server.testing import Sidecar
from promptpo.sim.sessions.testing import OPENED
from promptpo.sim.v1 import sim_pb2


@pytest.fixture(scope="module")
def sidecar() -> Iterator[Sidecar]:
    """One for all tests of a module, which leave no session behind."""
    with Sidecar() as started:
        yield started
        assert not started.stub.Report(sim_pb2.ReportRequest()).sessions
        assert started.stop()[0] == 0


@pytest.fixture(autouse=True)
def streams() -> Iterator[None]:
    """Every stream that was opened is cut."""
    yield
    while OPENED:
        OPENED.pop().cut()
