# mypy: allow-untyped-defs, allow-untyped-calls
"""Folders with an environment.toml: the example, edits while they are in use, and what is broken."""

import os
import re
import types
from typing import Any

import pytest

from promptpo.sim.environments import registry
from promptpo.sim.environments.texts import texts
from promptpo.sim.environments.yours import FAMILY
from promptpo.sim.environments.yours.testing import (
    COUNTER,
    DOCKING,
    EXAMPLES,
    counter_folder,
    episode,
    some_actions,
)
from promptpo.sim.errors import SimError


@pytest.fixture
def offered(monkeypatch):
    """Sets PROMPTPO_ENVIRONMENTS."""

    def offer(*folders):
        monkeypatch.setenv("PROMPTPO_ENVIRONMENTS", os.pathsep.join(map(str, folders)))

    return offer


def named(spec, observation):
    values = (array.item() if array.shape == () else array for array in observation)
    return types.SimpleNamespace(**dict(zip((field.name for field in spec.observation), values, strict=True)))


def test_the_example_is_offered_by_its_own_folder_and_by_the_one_above(offered):
    for folder in (DOCKING, EXAMPLES):
        offered(folder)
        assert registry.ids()[-1] == "docking"
        spec = registry.spec("docking")
        assert (spec.family, spec.horizon, spec.dt, spec.policy_class) == (
            "yours",
            200,
            0.05,
            "DockingPolicy",
        )
        assert [(f.name, f.dtype, f.shape, f.unit) for f in spec.observation] == [
            ("position", "float64", (), "m"),
            ("velocity", "float64", (), "m/s"),
            ("berth", "float64", (), "m"),
        ]
        assert (spec.action.low, spec.action.high) == ((-2.0,), (2.0,))
        assert (spec.selection, spec.reward_kinds) == ("mean_return", ("source", "vague"))
        assert re.fullmatch("sha256:[0-9a-f]{64}", spec.revision)
    offered()
    assert "docking" not in registry.ids()
    with pytest.raises(registry.UnknownEnvironment):
        registry.spec("docking")


def test_an_episode_of_the_example_is_a_function_of_its_seed(offered):
    offered(DOCKING)
    env = registry.make("docking")
    actions = some_actions(env.spec.action, 200)
    first = episode(env, 3, actions)
    assert episode(env, 4, actions) != first
    assert episode(env, 3, actions) == first
    fresh = registry.make("docking")
    assert episode(fresh, 3, actions) == first
    assert env.render().shape == (96, 480, 3)
    fresh.close()
    env.close()


def test_the_example_can_be_solved_and_its_reward_source_is_the_truth(offered):
    offered(DOCKING)
    env = registry.make("docking")
    scope: dict[str, Any] = {}
    exec(compile(texts("docking").rewards["source"], "reward.py", "exec"), scope)
    policies: dict[str, Any] = {}
    exec(compile((EXAMPLES / "bang_bang.py").read_text(), "bang_bang.py", "exec"), policies)
    for seed in range(5):
        policy = policies["DockingPolicy"]()
        seen, over, succeeded = named(env.spec, env.reset(seed)), False, False
        while not over:
            action = policy.act(seen)
            step = env.step(action)
            after = named(env.spec, step.observation)
            assert scope["reward"](seen, action, after) == pytest.approx(step.reward, abs=1e-9)
            seen, over = after, step.terminated or step.truncated
            succeeded |= step.success
        assert (step.terminated, succeeded) == (True, True)
    env.close()


def test_the_examples_texts_name_every_field_and_nothing_outside_themselves(offered):
    offered(DOCKING)
    spec, told = registry.spec("docking"), texts("docking")
    row = r"^\| `obs\.(\w+)` *\| (\w+) *\| scalar *\| ([^|]*[^| ]) *\|"
    rows = re.findall(row, told.observation, re.MULTILINE)
    assert rows == [(field.name, field.dtype, field.unit) for field in spec.observation]
    everything = "\n".join((told.observation, told.implementation, *told.rewards.values()))
    assert set(re.findall(r"\bobs\.(\w+)", everything)) == {field.name for field in spec.observation}
    assert re.search(rf"at most {spec.horizon} steps", told.implementation)
    assert f"One step is {spec.dt} s" in told.implementation
    assert "gymnasium" not in everything


def test_an_edit_is_seen_at_once_even_within_a_second_and_of_equal_length(offered, tmp_path):
    counter_folder(tmp_path)
    offered(tmp_path)
    before = registry.spec("counter")
    old = registry.make("counter")
    old.reset(0)
    assert [int(old.step(code).observation[0][0]) for code in (0, 1)] == [1, 2]
    stat = (tmp_path / "env.py").stat()
    (tmp_path / "env.py").write_text(COUNTER.replace("BY = 1", "BY = 5"))
    os.utime(tmp_path / "env.py", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    after = registry.spec("counter")
    assert after.revision != before.revision
    new = registry.make("counter")
    new.reset(0)
    assert [int(new.step(code).observation[0][0]) for code in (0, 1)] == [5, 10]
    # What was made before refuses: at the end of the episode that runs, and before the next one.
    assert [int(old.step(0).observation[0][0]) for _ in range(before.horizon - 3)] == list(
        range(3, before.horizon)
    )
    with pytest.raises(SimError, match="was changed meanwhile") as caught:
        old.step(0)
    assert caught.value.reason == "CONFLICT"
    with pytest.raises(SimError, match="was changed meanwhile"):
        old.reset(1)
    # Back to what it was: the same revision, the same bits.
    (tmp_path / "env.py").write_text(COUNTER)
    assert registry.spec("counter").revision == before.revision


@pytest.mark.parametrize("name", ["data.bin", "sub/data.txt", "environment.toml"])
def test_every_file_counts_and_hidden_or_compiled_ones_do_not(offered, tmp_path, name):
    counter_folder(tmp_path)
    offered(tmp_path)
    before = registry.spec("counter").revision
    for junk in (".git/HEAD", "__pycache__/env.cpython-311.pyc", ".swp"):
        (tmp_path / junk).parent.mkdir(exist_ok=True)
        (tmp_path / junk).write_text("x")
    assert registry.spec("counter").revision == before
    (tmp_path / name).parent.mkdir(exist_ok=True)
    with (tmp_path / name).open("a") as file:
        file.write("# x\n")
    assert registry.spec("counter").revision != before


def test_two_folders_may_have_modules_of_the_same_name(offered, tmp_path):
    body = COUNTER.replace(
        "BY = 1", "from helper.amount import BY\nimport helper.amount as again\nassert again.BY == BY"
    )
    for name, amount in (("one", 2), ("two", 3)):
        folder = counter_folder(tmp_path / name, "", body)
        toml = (folder / "environment.toml").read_text()
        (folder / "environment.toml").write_text(toml.replace('"counter"', f'"{name}"'))
        (folder / "helper").mkdir()
        (folder / "helper" / "amount.py").write_text("from .number import NUMBER\nBY = NUMBER\n")
        (folder / "helper" / "number.py").write_text(f"NUMBER = {amount}\n")
    offered(tmp_path)
    assert registry.ids()[-2:] == ("one", "two")
    for name, amount in (("one", 2), ("two", 3), ("one", 2)):
        env = registry.make(name)
        env.reset(0)
        assert int(env.step(0).observation[0][0]) == amount


def test_a_module_is_imported_where_it_is_first_used(offered, tmp_path):
    body = COUNTER.replace(
        "self.count += self.by * BY", "from later import amount\n        self.count += amount()"
    )
    counter_folder(tmp_path, "", body)
    (tmp_path / "later.py").write_text("import dataclasses\n\ndef amount():\n    return 4\n")
    offered(tmp_path)
    env = registry.make("counter")
    env.reset(0)
    assert int(env.step(0).observation[0][0]) == 4


def test_an_installed_environment_gets_arguments_a_horizon_and_fields(offered, tmp_path):
    (tmp_path / "environment.toml").write_text(
        """
        id = "cliff"
        env = "CliffWalking-v1"
        horizon = 30
        policy_class = "Walker"
        selection = "mean_success"
        success_key = "there"
        [arguments]
        is_slippery = true
        """
    )
    offered(tmp_path)
    spec = registry.spec("cliff")
    assert (spec.horizon, spec.policy_class, spec.selection) == (30, "Walker", "mean_success")
    assert spec.revision.split(", ")[1].startswith("gymnasium==")
    env = registry.make("cliff")
    env.reset(0)
    assert [env.step(0).truncated for _ in range(30)] == [False] * 29 + [True]


def test_fields_are_taken_from_keys_and_slices(offered, tmp_path):
    (tmp_path / "environment.toml").write_text(
        """
        id = "cards"
        env = "Blackjack-v1"
        horizon = 10
        [[observation]]
        name = "total"
        key = "0"
        dtype = "float64"
        [[observation]]
        name = "dealer"
        key = "1"
        description = "the dealer's card"
        """
    )
    maze = tmp_path / "maze"
    maze.mkdir()
    (maze / "environment.toml").write_text(
        """
        id = "maze"
        env = "gymnasium_robotics:PointMaze_UMaze-v3"
        [[observation]]
        name = "speed"
        key = "observation"
        slice = [2, 4]
        shape = [2]
        unit = "m/s"
        [[observation]]
        name = "goal_x"
        key = "desired_goal"
        index = 0
        """
    )
    offered(tmp_path, maze)
    cards = registry.make("cards")
    total, dealer = cards.reset(3)
    assert (str(total.dtype), total.shape, str(dealer.dtype)) == ("float64", (), "int64")
    assert (
        "| `obs.dealer` | int64 | scalar | the dealer's card, between 0 and 10 |"
        in texts("cards").observation
    )
    env = registry.make("maze")
    speed, goal = env.reset(0)
    assert (speed.shape, goal.shape, [field.unit for field in env.spec.observation]) == (
        (2,),
        (),
        ["m/s", "1"],
    )


@pytest.mark.parametrize(
    ("toml", "module", "words"),
    [
        ("horizon = 9\nhorizont = 1", COUNTER, "environment.toml: horizont: expected one of the keys"),
        (
            "horizon = 9",
            "import no_such_thing",
            "entry_point: expected a callable that can be imported.*no_such_thing",
        ),
        ("horizon = 9", "def broken(:", "entry_point: .*SyntaxError"),
        ("horizon = 9", "raise SystemExit(3)", "entry_point: .*SystemExit: 3"),
        ("horizon = 9", "Counter = 3", "entry_point: expected a callable, got 3"),
        (
            "horizon = 9",
            COUNTER.replace("def __init__(self, by=1):", "def __init__(self):\n        1 / 0\n"),
            "ZeroDivision",
        ),
        (
            "horizon = 9",
            COUNTER.replace("return [0, self", "return 1 / 0, [0, self"),
            "cannot be stepped: ZeroDivision",
        ),
        ("horizon = 9\n[arguments]\nto = 1", COUNTER, "cannot be made: TypeError: .*'to'"),
        (
            "horizon = 9\n[texts]\nvague = 'none.md'",
            COUNTER,
            "texts.vague: expected a UTF-8 text file, got 'none.md'",
        ),
        ("# horizon", COUNTER, "environment.toml: horizon: expected a whole number of steps, got nothing"),
        (
            "horizon = 9\n[[observation]]\nname = 'a'\nkey = 'b'",
            COUNTER,
            r"observation\[0\].key: expected a key",
        ),
        (
            "horizon = 9\n[[observation]]\nname = 'a'\nindex = 2",
            COUNTER,
            r"observation\[0\].index: expected entries",
        ),
        (
            "horizon = 9\n[[observation]]\nname = 'a'\nshape = [3]",
            COUNTER,
            r"shape: expected \[2\] as the space has",
        ),
        (
            "horizon = 9\n[[observation]]\nname = 'class'",
            COUNTER,
            r"observation\[0\].name: expected an attribute",
        ),
        ("horizon = 9\n[[observation]]\nname = 'a'\ndtype = 'int64'", COUNTER, "dtype: expected float64"),
        (
            "horizon = 9",
            COUNTER.replace("spaces.Discrete(3, start=1)", "spaces.MultiBinary(3)"),
            "the action space is",
        ),
    ],
)
def test_a_broken_folder_is_not_listed_and_says_why_to_whoever_asks(offered, tmp_path, toml, module, words):
    counter_folder(tmp_path / "broken", toml, module)
    offered(tmp_path, DOCKING)
    with pytest.raises(registry.BrokenEnvironment, match=words):
        registry.spec("counter")
    assert registry.make("docking").reset(0)
    # Mended without a restart.
    counter_folder(tmp_path / "broken")
    assert registry.spec("counter").horizon == 9


def test_a_manifest_that_is_no_toml_is_found_by_what_can_be_read_of_it(offered, tmp_path, capsys):
    counter_folder(tmp_path / "spoilt", "[texts")
    offered(tmp_path)
    assert "counter" not in registry.ids()
    assert "an environment cannot be offered" in capsys.readouterr().err
    assert "counter" not in registry.ids()
    assert capsys.readouterr().err == "", "a problem is logged once"
    for name in ("counter", "spoilt"):
        with pytest.raises(registry.BrokenEnvironment, match=r"environment\.toml: expected TOML"):
            registry.spec(name)


def test_an_id_belongs_to_the_first_that_has_it(offered, tmp_path, capsys):
    counter_folder(tmp_path / "a")
    counter_folder(tmp_path / "b", "policy_class = 'Other'")
    taken = counter_folder(tmp_path / "c")
    (taken / "environment.toml").write_text('id = "Hopper-v5"\nentry_point = "env:Counter"\nhorizon = 3\n')
    offered(tmp_path, tmp_path / "nothing")
    assert registry.ids()[-1] == "counter"
    assert registry.ids().count("Hopper-v5") == 1
    assert registry.spec("Hopper-v5").family == "mujoco"
    assert registry.spec("counter").policy_class == "CounterPolicy"
    problems = capsys.readouterr().err
    assert "'counter' is the id of" in problems
    assert "'Hopper-v5' is the id of an environment of PromptPO already" in problems
    assert "nothing: expected environment.toml in it" in problems


def test_a_failure_within_an_episode_is_logged_with_its_place(offered, tmp_path, capsys):
    counter_folder(
        tmp_path, "", COUNTER.replace("self.count += self.by * BY", "self.count += 1 // (int(action) - 1)")
    )
    offered(tmp_path)
    env = registry.make("counter")
    env.reset(0)
    with pytest.raises(ZeroDivisionError):
        env.step(0)
    logged = capsys.readouterr().err
    assert "an environment's own code failed" in logged
    assert f"{tmp_path}/env.py" in logged
    assert "self.count += 1 // (int(action) - 1)" in logged


def test_a_session_gets_the_bare_environment(offered):
    offered(DOCKING)
    family, spec = registry.family_of("docking")
    assert family.name == "yours"
    env = FAMILY.gym(spec, {})
    assert env.observation_space.shape == (3,)
    assert env.reset(seed=3)[0].shape == (3,)
    env.close()
