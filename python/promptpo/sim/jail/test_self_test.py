"""The verdict on confinement, on a machine that confines and with confinement switched off."""

from __future__ import annotations

from promptpo.sim.jail.self_test import run_self_test
from promptpo.sim.jail.testing import Jail
from promptpo.sim.jail.warm_parent import WarmParent
from promptpo.sim.jail.watch import Watch


def test_a_confined_sidecar_says_so(jail: Jail) -> None:
    found = run_self_test(jail.parent, jail.watch, unconfined=False)
    assert found.problem == ""
    assert found.confined
    assert found.no_new_privs
    assert found.seccomp
    assert found.no_network
    assert found.landlock_abi >= 1


def test_without_confinement_the_attacks_succeed_and_are_told() -> None:
    parent, watch = WarmParent(unconfined=True), Watch()
    try:
        # As if nobody had said that it is switched off: the attacks themselves must notice.
        found = run_self_test(parent, watch, unconfined=False)
        said = run_self_test(parent, watch, unconfined=True)
    finally:
        watch.close()
        parent.close()
    assert not found.confined
    assert found.problem.startswith("a policy can open a file, open a socket")
    assert not found.seccomp
    assert not said.confined
    assert said.problem == "confinement is switched off by PROMPTPO_UNCONFINED=1"
