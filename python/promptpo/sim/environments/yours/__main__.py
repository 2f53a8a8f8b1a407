"""`python -m promptpo.sim.environments.yours FOLDER | gym:ID`: shows and tries an environment.

Owns what is printed: what a model is told on standard output, problems on standard error with exit code 1.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

from promptpo.sim.environments import registry
from promptpo.sim.environments.base import EnvironmentSpec
from promptpo.sim.environments.texts import texts
from promptpo.sim.environments.yours.catalogue import VARIABLE
from promptpo.sim.environments.yours.check import problems
from promptpo.sim.environments.yours.folder import Folder
from promptpo.sim.environments.yours.manifest import FILE_NAME


def main(arguments: list[str]) -> int:
    """The exit code."""
    if len(arguments) != 1:
        sys.stderr.write("expected one folder with an environment.toml, or one id such as gym:CartPole-v1\n")
        return 2
    id_ = arguments[0]
    try:
        if (Path(id_) / FILE_NAME).is_file():
            os.environ[VARIABLE] = id_
            id_ = Folder(Path(id_).resolve()).manifest().id
        spec = registry.spec(id_)
        found = problems(id_)
    except Exception as error:
        if error.__cause__ is not None:
            traceback.print_exception(error.__cause__)
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(_shown(spec))
    for problem in found:
        sys.stderr.write(f"problem: {problem}\n")
    return 1 if found else 0


def _shown(spec: EnvironmentSpec) -> str:
    told = texts(spec.id)
    rewards = "".join(f"# Reward, {kind}\n{told.rewards[kind]}\n" for kind in spec.reward_kinds)
    return (
        f"{spec.id}: class {spec.policy_class}, at most {spec.horizon} steps of {spec.dt:g} s, "
        f"{spec.selection}, revision {spec.revision}\n\n"
        f"# Observation\n{told.observation}\n# Implementation\n{told.implementation}\n{rewards}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
