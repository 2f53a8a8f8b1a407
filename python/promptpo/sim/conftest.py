"""What tests of several folders share: one warm parent, one sidecar, both real."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from promptpo.sim.jail.testing import Jail
from promptpo.sim.jail.warm_parent import WarmParent
from promptpo.sim.jail.watch import Watch
from promptpo.sim.server.testing import Sidecar


@pytest.fixture(scope="session")
def jail() -> Iterator[Jail]:
    parent = WarmParent(unconfined=False)
    watch = Watch()
    yield Jail(parent, watch)
    watch.close()
    parent.close()


@pytest.fixture(scope="session")
def sidecar() -> Iterator[Sidecar]:
    with Sidecar() as running:
        yield running
        assert running.stop() == (0, b"")
