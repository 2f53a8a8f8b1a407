"""What a sidecar says of itself in the handshake: fingerprint, environments with texts, confinement,
rendering."""

from __future__ import annotations

import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from promptpo.rollout.v1 import rollout_pb2
from promptpo.sim import rendering
from promptpo.sim.environments import registry
from promptpo.sim.environments.yours import complain
from promptpo.sim.errors import SimError
from promptpo.sim.fingerprint import fingerprint
from promptpo.sim.jail.self_test import SelfTest
from promptpo.sim.protocol import PROTOCOL_VERSION
from promptpo.sim.v1 import sim_pb2
from promptpo.sim.worker import messages
from promptpo.types.v1 import types_pb2


def describe(self_test: Callable[[], SelfTest]) -> sim_pb2.HandshakeResponse:
    """All of a handshake but the server's process id.

    Three things that take a second each go on side by side: the trial of rendering (a process of its own),
    the canned simulations, and before the self-test the warming of the policies' parent.
    """
    with ThreadPoolExecutor(1) as beside:
        drawing = beside.submit(rendering.rendering)
        numeric = fingerprint()
        found = self_test()
        can_render, render_problem = drawing.result().backend is not None, drawing.result().problem
    # The canned simulations' environments hang in cycles: some 50 MB that nobody needs again.
    gc.collect()
    return sim_pb2.HandshakeResponse(
        protocol_version=PROTOCOL_VERSION,
        fingerprint=types_pb2.Fingerprint(
            packages=numeric.packages,
            architecture=numeric.architecture,
            simulations=numeric.simulations,
            digest=numeric.digest,
        ),
        environments=_environments(),
        confinement=sim_pb2.Confinement(
            confined=found.confined,
            no_new_privs=found.no_new_privs,
            landlock_abi=found.landlock_abi,
            seccomp=found.seccomp,
            no_network=found.no_network,
            problem=found.problem,
        ),
        can_render=can_render,
        render_problem=render_problem,
    )


def _environments() -> list[rollout_pb2.Environment]:
    """Every environment in every variant, an id's default first; without those of others that do not work."""
    found: list[rollout_pb2.Environment] = []
    for id in registry.ids():  # noqa: A001
        try:
            variants = registry.spec(id).variants
            found += [messages.environment(registry.spec(id, variant)) for variant in variants]
        except (registry.BrokenEnvironment, SimError) as error:
            complain(id, str(error))
    return found
