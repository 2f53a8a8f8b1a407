# mypy: allow-untyped-defs, allow-untyped-calls
import subprocess
import sys

import pytest

from promptpo.sim.environments import registry
from promptpo.sim.environments.naming import policy_class


def test_the_environments_of_every_family_are_listed_once():
    ids = registry.ids()
    assert len(ids) == len(set(ids))
    assert {"Ant-v5", "HalfCheetah-v5", "Hopper-v5", "Humanoid-v5", "Swimmer-v5", "Reacher-v5"} <= set(ids)
    assert "InvertedDoublePendulum-v5" in ids
    assert {"PointMaze_Large-v3", "PointMaze_Large_Diverse_G-v3"} <= set(ids)
    assert {f"NoiseWorld-{n}" for n in range(7)} <= set(ids)
    assert sum(registry.spec(env_id).family == "metaworld" for env_id in ids) == 50


@pytest.mark.parametrize(
    ("env_id", "name"),
    [
        ("HalfCheetah-v5", "HalfCheetahPolicy"),
        ("button-press-v3", "ButtonPressPolicy"),
        ("NoiseWorld-4", "NoiseWorldPolicy"),
        ("PointMaze_Large-v3", "PointMazeLargePolicy"),
        ("PointMaze_Large_Diverse_G-v3", "PointMazeLargeDiverseGPolicy"),
    ],
)
def test_a_policy_class_is_named_after_its_environment(env_id, name):
    assert policy_class(env_id) == name


def test_an_unknown_id_names_what_looks_like_it():
    with pytest.raises(registry.UnknownEnvironment) as caught:
        registry.spec("halfcheetah-v5")
    assert caught.value.nearest[0] == "HalfCheetah-v5"
    assert "nearest: HalfCheetah-v5" in str(caught.value)
    with pytest.raises(registry.UnknownEnvironment, match="button-press-v3"):
        registry.make("buttonpress-v3")


def test_an_unknown_variant_names_those_there_are():
    with pytest.raises(registry.UnknownVariant, match="no_key_info, key_info"):
        registry.spec("NoiseWorld-4", "all")


def run(code):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def test_specs_and_texts_import_no_simulator():
    code = (
        "import sys\n"
        "from promptpo.sim.environments import registry\n"
        "from promptpo.sim.environments.texts import texts\n"
        "[texts(id, v) for id in registry.ids() for v in registry.spec(id).variants]\n"
        "print([m for m in ('gymnasium', 'mujoco', 'metaworld', 'gymnasium_robotics', 'scipy', 'PIL')\n"
        "       if m in sys.modules])"
    )
    assert run(code) == "[]\n"


def test_making_environments_prints_nothing_even_where_the_asked_for_opengl_is_missing():
    code = (
        "import os\n"
        "os.environ['MUJOCO_GL'] = 'osmesa'\n"
        "os.environ['PROMPTPO_OSMESA'] = '/nowhere'\n"
        "from promptpo.sim.environments import registry\n"
        "for id in ('Hopper-v5', 'reach-v3', 'PointMaze_Large-v3', 'NoiseWorld-0'):\n"
        "    env = registry.make(id)\n"
        "    env.reset(0)\n"
        "    env.close()\n"
        "assert os.environ['MUJOCO_GL'] == 'osmesa'"
    )
    assert run(code) == ""
