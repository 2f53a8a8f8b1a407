"""What memory a policy process has: nothing of it is shared, nothing of it is writable code, no privilege
comes with it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from promptpo.sim.jail.testing import Jail, policy

# A policy whose source names scipy is forked from another parent.
SOURCES = [policy("return [0, 0]"), "import scipy\n" + policy("return [0, 0]")]


@pytest.mark.parametrize("source", SOURCES, ids=["numpy", "scipy"])
def test_the_process_as_the_kernel_sees_it(jail: Jail, source: str) -> None:
    with jail.process(source) as process:
        process.start()
        status = Path(f"/proc/{process.pid}/status").read_text()
    lines = dict(line.split(":\t", 1) for line in status.splitlines())
    assert lines["NoNewPrivs"] == "1"
    assert lines["Seccomp"] == "2"
    assert lines["Threads"] == "1"
    for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(lines[kind], 16) == 0, kind


@pytest.mark.parametrize("source", SOURCES, ids=["numpy", "scipy"])
def test_no_page_that_can_be_written_is_shared(jail: Jail, source: str) -> None:
    """Two policies with a shared page could talk, and an episode would depend on what ran before it.

    Looked for in the parent, whose mappings a fork inherits.
    """
    with jail.process(source) as process:
        process.start()
        status = Path(f"/proc/{process.pid}/status").read_text()
    parent = status.partition("PPid:\t")[2].split()[0]
    lines = Path(f"/proc/{parent}/maps").read_text().splitlines()
    assert [line for line in lines if re.match(r"\S+ .w.s ", line)] == []
