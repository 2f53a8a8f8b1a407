"""For tests: a maze as a user of gymnasium makes it, without any of our code around it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium

from promptpo.sim.environments import registry
from promptpo.sim.environments.pointmaze.catalogue import maze


def bare(id: str, **options: Any) -> Any:  # noqa: A002, ANN401 - the spec's own word; gymnasium is untyped
    """`gymnasium.make` with our map and what else is asked for; the caller closes it."""
    registry.make(id).close()  # registers the mazes
    arguments = {"maze_map": maze(id).cells(), "continuing_task": False, **options}
    env = gymnasium.make(id, **arguments)
    Path(env.unwrapped.tmp_xml_file_path).unlink()
    return env
