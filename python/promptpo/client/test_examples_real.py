"""The examples that step environments, as a stranger runs them, against a real fleet."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import gymnasium
import pytest
from gymnasium.vector import SyncVectorEnv

from promptpo.client.real_fleet import ROOT, RealFleet


def run(folder: Path, fleet: RealFleet, *arguments: str) -> subprocess.CompletedProcess[str]:
    shutil.copytree(ROOT / "examples/python", folder, dirs_exist_ok=True)
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={
            "PATH": os.environ.get("PATH", ""),
            "PYTHONPATH": str(ROOT / "python"),
            "PROMPTPO_ROLLOUT": fleet.address,
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def ars() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ars", ROOT / "examples/python/ars.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["ars"] = module
    spec.loader.exec_module(module)
    return module


def test_augmented_random_search_learns_and_is_the_same_as_at_home(
    tmp_path: Path, fleet: RealFleet, ars: ModuleType
) -> None:
    done = run(tmp_path, fleet, "ars.py")
    assert done.stderr == ""
    curve = [float(line.rpartition(" ")[2]) for line in done.stdout.splitlines()]
    # At its start a pole falls within a few steps; later it stays up for many.
    assert curve[0] < 50
    assert min(curve[-3:]) > 5 * curve[0]
    settings = ars.Settings()
    envs = SyncVectorEnv([lambda: gymnasium.make("InvertedDoublePendulum-v5")] * (2 * settings.directions))
    assert ars.search(envs, settings) == curve


def test_an_example_says_what_is_wrong_with_an_environments_name(tmp_path: Path, fleet: RealFleet) -> None:
    done = run(tmp_path, fleet, "ars.py", "HalfCheta-v5")
    assert done.returncode == 1
    assert "UNKNOWN_ENVIRONMENT" in done.stderr
    assert "HalfCheetah-v5" in done.stderr
