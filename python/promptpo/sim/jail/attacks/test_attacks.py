"""Every attack against the real jail: what it wanted stays out of reach, what went wrong is told, and the
episodes around it have the bits that they have without it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from _pytest.mark import ParameterSet

from promptpo.sim.environments import registry
from promptpo.sim.jail.attacks import FAMILIES
from promptpo.sim.jail.attacks.attack import ANY_STEP, AT_STEP, HONEST, SUCCEEDED, Attack
from promptpo.sim.jail.attacks.stage import Stage
from promptpo.sim.jail.attacks.target import Target
from promptpo.sim.jail.landlock import ABI_MAX, abi
from promptpo.sim.jail.testing import Jail
from promptpo.sim.jail.warm_parent import WarmParent
from promptpo.sim.jail.watch import Watch
from promptpo.sim.worker.episode import Outcome

SEED = 7
"""Every step costs 1 in its episode of the board until the goal, which the honest policy reaches."""
OTHER_SEEDS = [11]
LIMITS = ("CPU", "TIMEOUT", "MEMORY")
"""Errors of attacks that end at a limit. Limits know no Landlock: those attacks run once."""

RIGHTS, OLDEST = "all rights", "oldest Landlock"


def cases(*, at_a_limit: bool) -> list[ParameterSet]:
    return [
        pytest.param(attack, id=f"{family}: {attack}")
        for family, of in FAMILIES.items()
        for attack in of
        if (attack.kind in LIMITS) is at_a_limit
    ]


@dataclass(frozen=True)
class Scene:
    landlock: str
    stage: Stage
    target: Target
    honest: Outcome
    """Of SEED, without any attack."""
    others: list[Outcome]
    """Of OTHER_SEEDS, before any attack."""


@pytest.fixture(scope="module")
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The same suite on this kernel, and as on one whose Landlock knows neither network nor signals."""
    with contextlib.ExitStack() as stack:
        target = stack.enter_context(Target(tmp_path_factory.mktemp("target")))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        if request.param == OLDEST:
            patch.setenv(ABI_MAX, "1")
        parent, watch = WarmParent(unconfined=False), Watch()
        stack.callback(parent.close)
        stack.callback(watch.close)
        assert parent.landlock_abi == (1 if request.param == OLDEST else abi())
        environment = registry.make("NoiseWorld-1")
        stage = Stage(Jail(parent, watch), environment)
        honest, *others = stage.episodes(HONEST, [SEED, *OTHER_SEEDS])
        assert honest.error is None
        assert honest.length > AT_STEP + 1
        yield Scene(request.param, stage, target, honest, others)


@pytest.mark.parametrize("attack", cases(at_a_limit=False))
@pytest.mark.parametrize("scene", [RIGHTS, OLDEST], indirect=True)
def test_attack(scene: Scene, attack: Attack) -> None:
    fails(scene, attack)


@pytest.mark.parametrize("attack", cases(at_a_limit=True))
@pytest.mark.parametrize("scene", [RIGHTS], indirect=True)
def test_attack_that_ends_at_a_limit(scene: Scene, attack: Attack) -> None:
    fails(scene, attack)


def fails(scene: Scene, attack: Attack) -> None:
    source = attack.source(scene.target.names)
    outcomes = scene.stage.episodes(source, [SEED] * (2 if attack.twice else 1), attack.limits)

    for outcome in outcomes:
        error = outcome.error
        told = "" if error is None else f"{error.kind}: {error.message}\n{error.traceback}"
        assert SUCCEEDED not in told.partition("\n")[0]
        assert scene.target.secret not in told
        if attack.kind is None:
            assert outcome == scene.honest, told
        else:
            assert error is not None
            assert error.kind == attack.kind, told
            assert attack.says in error.message
            step = outcome.length if attack.ends_at == ANY_STEP else attack.ends_at
            assert outcome == Outcome(
                SEED, return_value=-1.0 * step, length=step, error=replace(error, step=step)
            )
    assert scene.target.harm() == []
    assert scene.stage.episodes(HONEST, OTHER_SEEDS) == scene.others
