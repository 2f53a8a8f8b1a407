"""The Python examples, as a stranger runs them: copied to a folder outside of the repository."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import promptpo
from promptpo.client.small_fleet import SmallFleet
from promptpo.optimizer.v1.optimizer_pb2 import RUN_STATE_RUNNING, RUN_STATE_SUCCEEDED

ROOT = Path(promptpo.__file__).resolve().parents[2]


def start(folder: Path, servers: SmallFleet, *arguments: str) -> subprocess.Popen[str]:
    shutil.copytree(ROOT / "examples/python", folder, dirs_exist_ok=True)
    address = servers.address
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env={
            "PATH": os.environ.get("PATH", ""),
            "PYTHONPATH": str(ROOT / "python"),
            "PROMPTPO_ROLLOUT": address,
            "PROMPTPO_OPTIMIZER": address,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_evaluate_prints_every_episode_and_the_mean(tmp_path: Path, servers: SmallFleet) -> None:
    example = start(tmp_path, servers, "evaluate.py", "NoiseWorld-0")
    out, err = example.communicate(timeout=60)
    assert err == ""
    assert out.splitlines()[:2] == ["seed 0: return 0.0, 10 steps", f"seed 1: return {1 / 3}, 10 steps"]
    assert "mean return" in out
    assert example.returncode == 0


def test_evaluate_shows_a_policys_failure_as_a_result(tmp_path: Path, servers: SmallFleet) -> None:
    (tmp_path / "empty.py").write_text("")
    example = start(tmp_path, servers, "evaluate.py", "NoiseWorld-0", "empty.py")
    out, _ = example.communicate(timeout=60)
    assert "failed at step 0: no class" in out
    assert example.returncode == 0


def test_evaluate_says_what_is_wrong_with_an_environments_name(tmp_path: Path, servers: SmallFleet) -> None:
    example = start(tmp_path, servers, "evaluate.py", "NoiseWord-0")
    _, err = example.communicate(timeout=60)
    assert err == "UNKNOWN_ENVIRONMENT: no such environment; did you mean NoiseWorld-0?\n"
    assert example.returncode == 1


def test_improve_watches_its_run_to_the_end(tmp_path: Path, servers: SmallFleet) -> None:
    example = start(tmp_path, servers, "improve.py", "NoiseWorld-0", "m-1")
    servers.wait(lambda: "run-1" in servers.runs)
    servers.write("run-1", RUN_STATE_RUNNING)
    servers.write("run-1", RUN_STATE_SUCCEEDED)
    out, err = example.communicate(timeout=60)
    assert err == ""
    assert "run-1 started\n1 r1/c01/policy/0" in out
    assert "RUN_STATE_SUCCEEDED" in out
    assert example.returncode == 0
