# mypy: allow-untyped-defs, allow-untyped-calls
import hashlib
import json
import os
import platform
import re
import subprocess
import sys

import numpy as np

from promptpo.sim.environments import registry
from promptpo.sim.fingerprint import CANNED, PACKAGES, fingerprint, simulate

HEX = re.compile(r"[0-9a-f]{64}")


def test_every_family_has_a_canned_simulation_of_its_own():
    assert set(CANNED) == set(registry.FAMILIES)
    assert all(registry.spec(env_id).family == family for family, env_id in CANNED.items())


def test_the_digest_is_that_of_the_three_parts_in_canonical_json():
    found = fingerprint()
    assert found.architecture == platform.machine()
    assert set(found.packages) == {*PACKAGES, "python"}
    assert found.packages["numpy"] == np.__version__
    assert set(found.simulations) == set(registry.FAMILIES)
    assert all(HEX.fullmatch(value) for value in (*found.simulations.values(), found.digest))
    pairs = {"architecture": found.architecture, "packages": found.packages, "simulations": found.simulations}
    canonical = json.dumps(pairs, sort_keys=True, separators=(",", ":"))
    assert canonical.isascii()
    assert hashlib.sha256(canonical.encode()).hexdigest() == found.digest


def test_it_is_computed_once_a_process():
    assert fingerprint() is fingerprint()


def test_another_process_finds_the_same():
    code = "from promptpo.sim.fingerprint import fingerprint; print(fingerprint().digest)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "77"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == f"{fingerprint().digest}\n"


def test_a_simulation_that_differs_in_the_last_bit_has_another_hash(monkeypatch):
    class Shifted:
        def __init__(self, inner):
            self.inner, self.spec = inner, inner.spec

        def reset(self, seed):
            return self.inner.reset(seed)

        def step(self, action):
            step = self.inner.step(action)
            return step._replace(reward=np.nextafter(step.reward, np.inf))

        def close(self):
            self.inner.close()

    plain = simulate("Hopper-v5")
    assert simulate("Hopper-v5") == plain
    make = registry.make
    monkeypatch.setattr(registry, "make", lambda env_id: Shifted(make(env_id)))
    assert simulate("Hopper-v5") != plain
