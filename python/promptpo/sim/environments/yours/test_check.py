# mypy: allow-untyped-defs, allow-untyped-calls
"""The checker finds what would make an environment inexact, and nothing in those that are not."""

import pytest

from promptpo.sim.environments.yours.__main__ import main
from promptpo.sim.environments.yours.check import problems
from promptpo.sim.environments.yours.testing import COUNTER, DOCKING, counter_folder


@pytest.mark.parametrize("id_", ["gym:CartPole-v1", "gym:Taxi-v4", "NoiseWorld-1"])
def test_nothing_is_found_where_nothing_is_wrong(id_):
    assert problems(id_) == []


def test_the_example_is_shown_and_passes(capsys, monkeypatch):
    monkeypatch.setenv("PROMPTPO_ENVIRONMENTS", "")
    assert main([str(DOCKING)]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    for words in (
        "docking: class DockingPolicy, at most 200 steps of 0.05 s",
        "# Reward, source",
        "A shuttle moves",
    ):
        assert words in shown.out


@pytest.mark.parametrize(
    ("module", "toml", "words"),
    [
        (
            COUNTER.replace("self.count = 0", "self.count = getattr(self, 'count', 0) // 2"),
            "",
            "something survives",
        ),
        (
            COUNTER.replace("self.np_random.uniform()", "__import__('os').getrandom(1)[0]"),
            "",
            "something survives",
        ),
        (
            COUNTER.replace("self.by = by", "self.by = __import__('time').time_ns()"),
            "",
            "a new object gives another episode",
        ),
        (COUNTER, "[texts]\nsource = 'reward.txt'", "the reward source says 0.0"),
        (COUNTER, "[texts]\nobservation = 'reward.txt'", "says nothing of obs.obs_vector"),
        (COUNTER, "[texts]\nimplementation = 'wrong.txt'", "speak of obs.velocity, which there is not"),
    ],
)
def test_what_is_wrong_is_told(tmp_path, monkeypatch, capsys, module, toml, words):
    monkeypatch.setenv("PROMPTPO_ENVIRONMENTS", "")
    (tmp_path / "reward.txt").write_text("def reward(obs, action, next_obs):\n    return 0\n")
    (tmp_path / "wrong.txt").write_text("The faster `obs.velocity`, the better.\n")
    counter_folder(tmp_path, toml, module)
    assert main([str(tmp_path)]) == 1
    assert words in capsys.readouterr().err


def test_what_cannot_be_made_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PROMPTPO_ENVIRONMENTS", "")
    assert main([str(counter_folder(tmp_path, "horizon = 0"))]) == 1
    assert main(["gym:CartPol-v1"]) == 1
    assert main([]) == 2
    module = COUNTER.replace("self.by = by", "self.by = by.nothing")
    assert main([str(counter_folder(tmp_path / "new", "", module))]) == 1
    told = capsys.readouterr().err
    assert "self.by = by.nothing" in told
    assert "AttributeError: 'int' object has no attribute 'nothing'" in told
    assert "horizon: expected a whole number" in told
    assert "nearest: gym:CartPole-v1" in told
