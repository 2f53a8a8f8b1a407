"""Packages that bring environments: a Family, a folder, and one that fails, each by its entry point."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import promptpo
from promptpo.sim.environments.yours.testing import counter_folder

PACKAGE = """
from dataclasses import dataclass
from pathlib import Path

from promptpo.sim.environments.base import ActionSpace, EnvironmentSpec, Field
from promptpo.sim.environments.family import Texts
from promptpo.sim.environments.noiseworld.environment import NoiseWorld


def spec(variant):
    return EnvironmentSpec(
        "lab-task", "lab", variant, ("easy", "hard"), 10, 1.0, "LabPolicy",
        (Field("a", "float64", (), "1", "x"),),
        ActionSpace("discrete", (), "int64", (), (), 2), "mean_return", ("vague",), "vague",
    )


class Lab:
    name = "lab"

    def specs(self):
        return (spec("easy"), spec("hard"))

    def make(self, spec):
        raise RuntimeError(f"made {spec.variant} of {spec.revision}")

    def texts(self, spec):
        return Texts("observation\\n", "implementation\\n", {"vague": "reward\\n"})


def several():
    yield Lab()
    yield Path(__file__).parent / "folder"


def failing():
    raise RuntimeError("nobody home")
"""

LOOK = """
import json
from promptpo.sim.environments import registry
from promptpo.sim.environments.texts import texts

lab, counter = registry.spec("lab-task", "hard"), registry.spec("counter")
try:
    registry.make("lab-task")
except RuntimeError as error:
    made = str(error)
print(json.dumps({
    "ids": registry.ids()[-2:],
    "lab": [lab.variant, lab.revision, texts("lab-task").observation],
    "counter": [counter.family, counter.revision[:7]],
    "made": made,
}))
"""


def test_a_package_adds_a_family_and_a_folder_and_one_that_fails_harms_nobody(tmp_path: Path) -> None:
    (tmp_path / "lab_environments").mkdir()
    (tmp_path / "lab_environments" / "__init__.py").write_text(PACKAGE)
    counter_folder(tmp_path / "lab_environments" / "folder")
    info = tmp_path / "lab_environments-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lab-environments\nVersion: 1.2\n")
    (info / "top_level.txt").write_text("lab_environments\n")
    (info / "entry_points.txt").write_text(
        "[promptpo.environments]\nlab = lab_environments:several\nworse = lab_environments:failing\n"
    )
    root = str(Path(promptpo.__file__).resolve().parent.parent)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((root, str(tmp_path)))}
    environment.pop("PROMPTPO_ENVIRONMENTS", None)
    done = subprocess.run(
        [sys.executable, "-c", LOOK], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(done.stdout) == {
        "ids": ["counter", "lab-task"],
        "lab": ["hard", "lab-environments==1.2", "observation\n"],
        "counter": ["yours", "sha256:"],
        "made": "made easy of lab-environments==1.2",
    }
    assert "an entry point for environments does not work" in done.stderr
    assert "nobody home" in done.stderr
