# mypy: allow-untyped-defs, allow-untyped-calls
"""The texts against specs and code: what is named exists, what exists is named, indices cover the vectors."""

import re

import numpy as np
import pytest

from promptpo.sim.environments import registry
from promptpo.sim.environments.texts import texts

ALL = [
    registry.spec(env_id, variant) for env_id in registry.ids() for variant in registry.spec(env_id).variants
]
ROW = re.compile(r"^\| `obs\.(\w+)` \| (\w+) \| ([^|]+?) \|", re.MULTILINE)


def name(spec):
    return f"{spec.id}[{spec.variant}]"


def shape(text):
    return () if text == "scalar" else tuple(int(n) for n in re.findall(r"\d+", text))


def index_tables(text):
    """Heading -> the indices that the table under it speaks of, in order."""
    tables = {}
    for heading, body in re.findall(r"^### obs\.(\w+)\n\n((?:\|.*\n)+)", text, re.MULTILINE):
        tables[heading] = indices(body)
    return tables


def indices(table):
    found: list[int] = []
    for first, last in re.findall(r"^\| (\d+)(?::(\d+))? \|", table, re.MULTILINE):
        found += range(int(first), int(last or int(first) + 1))
    return found


@pytest.mark.parametrize("spec", ALL, ids=name)
def test_the_observation_text_names_every_field_with_type_and_shape_and_no_other(spec):
    told = texts(spec.id, spec.variant)
    rows = [(field, dtype, shape(text)) for field, dtype, text in ROW.findall(told.observation)]
    assert rows == [(field.name, field.dtype, field.shape) for field in spec.observation]
    everything = "\n".join((told.observation, told.implementation, *told.rewards.values()))
    mentioned = set(re.findall(r"\bobs\.(\w+)", everything))
    assert mentioned == {field.name for field in spec.observation}


@pytest.mark.parametrize("spec", [s for s in ALL if s.family != "noiseworld"], ids=name)
def test_index_tables_cover_each_vector_once(spec):
    told = texts(spec.id, spec.variant)
    tables = index_tables(told.observation)
    for field in spec.observation:
        if field.size > 3:
            assert tables[field.name] == list(range(field.size)), field.name
    assert indices(told.implementation) == list(range(spec.action.shape[0]))


@pytest.mark.parametrize("spec", ALL, ids=name)
def test_the_implementation_text_tells_the_horizon_and_the_time_step(spec):
    told = texts(spec.id, spec.variant).implementation
    assert re.search(rf"\b{spec.horizon}\s+steps", told)
    if spec.family != "noiseworld":
        assert f"One step is {spec.dt} s" in told
        assert f"shape {spec.action.shape!r}" in told


@pytest.mark.parametrize("spec", ALL, ids=name)
def test_texts_point_to_nothing_outside_themselves(spec):
    told = texts(spec.id, spec.variant)
    for text in (told.observation, told.implementation, *told.rewards.values()):
        assert text.endswith("\n")
        assert not text.endswith("\n\n")
        assert "$" not in text
        for word in ("promptpo", "gymnasium", "metaworld", "Meta-World", ".py", "github", "http"):
            assert word not in text, word
    assert set(re.findall(r"^(?:import|from) (\w+)", told.rewards.get("source", ""), re.MULTILINE)) <= {
        "numpy"
    }
    assert spec.default_reward_kind == spec.reward_kinds[0]


def test_a_field_knows_its_bytes():
    field = registry.spec("HalfCheetah-v5").observation[0]
    assert field.nbytes == np.zeros(field.shape, field.dtype).nbytes
