"""Fixtures of the client's tests."""

from collections.abc import Iterator

import pytest

from promptpo.client import Client
from promptpo.client.small_fleet import SmallFleet


@pytest.fixture
def servers() -> Iterator[SmallFleet]:
    fleet = SmallFleet().start()
    yield fleet
    fleet.stop()


@pytest.fixture
def client(servers: SmallFleet) -> Iterator[Client]:
    address = servers.address
    with Client(gateway=address, rollout=address, optimizer=address, environment={}) as client:
        yield client
