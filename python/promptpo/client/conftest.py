"""Fixtures of the client's tests."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from promptpo.client import Client
from promptpo.client.small_fleet import SmallFleet

if TYPE_CHECKING:
    from promptpo.client.real_fleet import RealFleet


# stable-baselines3 brings torch along and is in no lock file: its adapter is tested where somebody has it.
collect_ignore = [] if importlib.util.find_spec("stable_baselines3") else ["test_sb3.py"]


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


@pytest.fixture(scope="session")
def fleet() -> Iterator[RealFleet]:
    """A rollout service with two sidecars, for all tests that need a real one."""
    from promptpo.client.real_fleet import RealFleet

    with RealFleet() as fleet:
        yield fleet
