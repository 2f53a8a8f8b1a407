"""The client alone: a wheel with its own few dependencies, under the oldest and newest gymnasium that are
in use.

Environments are kept under .promptpo/clients between runs, since the package index may be far; the wheel in
them is new each time.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import gymnasium
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from promptpo.client.light_check import COUNT, ENVIRONMENT, digest
from promptpo.client.real_fleet import ROOT, RealFleet

CLIENTS = ROOT / ".promptpo/clients"
TOOLS = ("pytest", "pytest-timeout", "hypothesis", "grpcio-status")


def run(*command: str | Path, cwd: Path) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def pins() -> str:
    """The locked versions without hashes, gymnasium's left open."""
    locked = [(ROOT / "python" / name).read_text() for name in ("requirements.lock", "requirements-dev.lock")]
    lines = (line.split(" ")[0] for text in locked for line in text.splitlines() if "==" in line)
    return "\n".join(line for line in lines if not line.startswith(("gymnasium==", "#", " ")))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # A copy, so that the build leaves nothing in the checkout.
    shutil.copytree(
        ROOT / "python/promptpo", folder / "promptpo", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(ROOT / "python/pyproject.toml", folder)
    quiet = ("--quiet", "--disable-pip-version-check", "--no-input")
    run(
        sys.executable, "-m", "pip", "wheel", *quiet, "--no-deps", "--no-build-isolation", "-w", "dist", ".",
        cwd=folder,
    )  # fmt: skip
    return next((folder / "dist").glob("promptpo-*.whl"))


@pytest.fixture(scope="module", params=["1.2.2", "1.4.0"])
def python(request: pytest.FixtureRequest, wheel: Path) -> Path:
    """The interpreter of an environment with that gymnasium, the wheel and what the wheel asks for."""
    version = request.param
    constraints = pins()
    project = (ROOT / "python/pyproject.toml").read_text()
    wanted = hashlib.sha256(f"{constraints} {project} {TOOLS} {sys.version}".encode()).hexdigest()
    folder = CLIENTS / f"gymnasium-{version}"
    stamp, interpreter = folder / "stamp", folder / "bin/python"
    pip = (interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input")
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        CLIENTS.mkdir(parents=True, exist_ok=True)
        run(sys.executable, "-m", "venv", folder, cwd=CLIENTS)
        (folder / "constraints.txt").write_text(constraints)
        run(*pip, "-c", folder / "constraints.txt", wheel, f"gymnasium=={version}", *TOOLS, cwd=folder)
        stamp.write_text(wanted)
    run(*pip, "--no-deps", "--force-reinstall", wheel, cwd=folder)
    return interpreter


@pytest.mark.timeout(300)  # the first time, packages are fetched
def test_the_clients_tests_pass_with_its_own_dependencies_alone(python: Path, tmp_path: Path) -> None:
    out = run(
        python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--pyargs",
        "promptpo.client.test_vector_env", "promptpo.client.test_packing",
        cwd=tmp_path,
    )  # fmt: skip
    assert " passed" in out
    assert "failed" not in out


@pytest.mark.timeout(300)
def test_the_fleet_gives_the_same_bits_without_simulators(
    python: Path, fleet: RealFleet, tmp_path: Path
) -> None:
    found = json.loads(run(python, "-m", "promptpo.client.light_check", fleet.address, cwd=tmp_path))
    assert found["simulators"] == []
    assert found["gymnasium"] in str(python)
    assert found["warnings"] == []
    for mode in AutoresetMode:
        ours = digest(SyncVectorEnv([lambda: gymnasium.make(ENVIRONMENT)] * COUNT, autoreset_mode=mode))
        assert found["digests"][f"{mode.value} unix"] == ours
        assert found["digests"][f"{mode.value} grpc"] == ours
