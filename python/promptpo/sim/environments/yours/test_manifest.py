# mypy: allow-untyped-defs, allow-untyped-calls
"""An environment.toml is taken whole or refused with file, key and what was expected."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpo.sim.environments.unknown import BrokenEnvironment
from promptpo.sim.environments.yours.manifest import parse
from promptpo.sim.environments.yours.testing import DOCKING

HEAD = 'id = "x"\nentry_point = "a:B"\n'


def test_the_example_is_read():
    manifest = parse((DOCKING / "environment.toml").read_text(), "environment.toml")
    assert (manifest.id, manifest.entry_point, manifest.horizon) == ("docking", "docking:Docking", 200)
    assert dict(manifest.reward_texts) == {"source": "reward.py.txt", "vague": "reward.md"}
    assert [(entry.name, entry.index, entry.unit) for entry in manifest.observation] == [
        ("position", 0, "m"),
        ("velocity", 1, "m/s"),
        ("berth", 2, "m"),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id = ", "f.toml: expected TOML: "),
        ("", "f.toml: id: expected the id under which the environment is offered, got nothing"),
        ('id = "a b"', "f.toml: id: expected letters, digits"),
        ('id = "gym:CartPole-v1"', "f.toml: id: expected letters, digits"),
        ('id = "x"', 'f.toml: entry_point: expected either entry_point = "module:callable" or env'),
        (HEAD + 'env = "CartPole-v1"', "got both"),
        ('id = "x"\nentry_point = "a.B"', "f.toml: entry_point: expected \"module:callable\", got 'a.B'"),
        (HEAD + "horizon = 0", "f.toml: horizon: expected a whole number from 1 to 10000000, got 0"),
        (HEAD + "horizon = true", "f.toml: horizon: expected a whole number from 1"),
        (HEAD + "horizont = 3", "f.toml: horizont: expected one of the keys .*did you mean horizon"),
        (HEAD + "step_seconds = 0", "f.toml: step_seconds: expected a number above 0, got 0"),
        (HEAD + "step_seconds = nan", "step_seconds: expected a number above 0"),
        (HEAD + 'policy_class = "a-b"', "policy_class: expected a Python name, got 'a-b'"),
        (HEAD + 'selection = "best"', "selection: expected one of mean_return, mean_success, got 'best'"),
        (HEAD + "arguments = 3", "arguments: expected a table of keyword arguments, got 3"),
        (HEAD + '[texts]\nvague = "/etc/passwd"', "texts.vague: expected the name of a file in the folder"),
        (HEAD + '[texts]\nvague = "a/../../b"', "texts.vague: expected the name of a file in the folder"),
        (HEAD + '[texts]\nvauge = "a"', "texts.vauge: expected one of the keys .*did you mean vague"),
        (HEAD + 'default_reward = "source"\n[texts]\nvague = "a"', "default_reward: expected a kind that"),
        (HEAD + "observation = 3", "observation: expected .*tables, got 3"),
        (HEAD + "observation = [3]", "observation: expected .*tables, got 3"),
        (
            HEAD + "[[observation]]\nindex = 0",
            r"observation\[0\].name: expected an attribute name, got nothing",
        ),
        (
            HEAD + '[[observation]]\nname = "a"\n[[observation]]\nname = "a"',
            r"observation\[1\].name: expected a name",
        ),
        (HEAD + '[[observation]]\nname = "a"\nslice = [2, 2]', r"observation\[0\].slice: expected \[first"),
        (HEAD + '[[observation]]\nname = "a"\nslice = [0, 1]\nindex = 1', "and no index beside it"),
        (HEAD + '[[observation]]\nname = "a"\ndtype = "float32"', "dtype: expected one of float64, int64"),
        (HEAD + '[[observation]]\nname = "a"\nshape = [1.5]', "shape: expected a list of whole numbers"),
    ],
)
def test_a_mistake_is_told_with_file_key_and_what_was_expected(text, words):
    with pytest.raises(BrokenEnvironment, match=words):
        parse(text, "f.toml")


KEYS = st.sampled_from(
    """
    id entry_point env arguments horizon step_seconds policy_class success_key selection texts observation
    default_reward other
    """.split()  # noqa: SIM905  a list of strings would take a page
)
VALUES = st.sampled_from(
    [
        '"x"',
        '"a:b"',
        '""',
        "1",
        "-1",
        "1.5",
        "true",
        "[]",
        "[1, 2]",
        '["a"]',
        "{}",
        '{name = "a"}',
        "inf",
        "1979-05-27",
    ]
)


@given(st.dictionaries(KEYS, VALUES))
def test_no_document_raises_anything_else(document):
    text = "\n".join(f"{key} = {value}" for key, value in document.items())
    problem = ""
    try:
        manifest = parse(text, "f.toml")
    except BrokenEnvironment as error:
        problem = str(error)
    if problem:
        assert problem.startswith("f.toml: ")
    else:
        assert (manifest.env is None) != (manifest.entry_point is None)
