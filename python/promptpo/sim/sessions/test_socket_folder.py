"""The folder of a sidecar's sockets: several sidecars that start at once, and the remains of killed ones."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from promptpo.sim.sessions.socket_folder import SocketFolder


@pytest.fixture(autouse=True)
def _folder_of_this_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_sidecars_that_start_at_once_do_not_sweep_each_other_away() -> None:
    def made_and_used(_: int) -> bool:
        folder = SocketFolder()
        try:
            with folder.listen() as listener:
                return Path(listener.getsockname()).exists()
        finally:
            folder.remove()

    with ThreadPoolExecutor(8) as starting:
        assert all(starting.map(made_and_used, range(400)))


def test_nobody_else_may_look_in_and_nothing_is_left(tmp_path: Path) -> None:
    folder = SocketFolder()
    assert folder.path.stat().st_mode & 0o777 == 0o700
    folder.remove()
    folder.remove()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_sidecar_left_is_removed_by_the_next(tmp_path: Path) -> None:
    code = (
        "import os, tempfile; tempfile.tempdir = os.environ['FOLDER']\n"
        "from promptpo.sim.sessions.socket_folder import SocketFolder\n"
        "SocketFolder().listen(); os._exit(9)"
    )
    root = str(Path(__file__).resolve().parents[3])
    environment = {**os.environ, "FOLDER": str(tmp_path), "PYTHONPATH": root}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 9
    (left,) = tmp_path.iterdir()
    folder = SocketFolder()
    assert not left.exists()
    assert folder.path.exists()
    folder.remove()
