# mypy: allow-untyped-defs, allow-untyped-calls
import subprocess
import sys
import warnings
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from promptpo.sim.environments import registry
from promptpo.sim.environments.gym_env import BadOption, make_gym, picture
from promptpo.sim.environments.pointmaze import FAMILY
from promptpo.sim.environments.pointmaze.catalogue import MAZES
from promptpo.sim.environments.pointmaze.testing import bare

IDS = [each.id for each in MAZES]


def made(env_id, **options):
    return FAMILY.gym(registry.spec(env_id), options)


def transcript(env, seeds, steps):
    """The bytes of some episodes of which the first is seeded; an ended one is followed by another."""
    rng = np.random.default_rng(0)
    seen: list[Any] = []
    for seed in seeds:
        told, _ = env.reset(seed=seed)
        seen.append({name: value.tobytes() for name, value in told.items()})
        for _ in range(steps):
            told, reward, terminated, truncated, info = env.step(rng.uniform(-1, 1, 2).astype(np.float32))
            seen.append({name: value.tobytes() for name, value in told.items()})
            seen.append((float(reward), terminated, truncated, info))
            if terminated or truncated:
                break
    return seen


@pytest.mark.parametrize("options", [{}, {"reward_type": "dense"}, {"max_episode_steps": 30}], ids=str)
@pytest.mark.parametrize("env_id", IDS)
def test_it_is_what_a_user_gets_from_gymnasium_with_our_map(env_id, options):
    ours = made(env_id, **options)
    theirs = bare(env_id, **options)
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    assert ours.spec.max_episode_steps == theirs.spec.max_episode_steps
    # An unseeded reset goes on with the generator.
    assert transcript(ours, (3, None, None, 4), 50) == transcript(theirs, (3, None, None, 4), 50)
    for env in (ours, theirs):
        env.close()


def test_it_passes_gymnasiums_own_checker():
    env = made(IDS[0])
    with warnings.catch_warnings():
        # That velocities have no bound, and that there are wrappers.
        warnings.simplefilter("ignore")
        # Its render check would open windows.
        check_env(env, skip_render_check=True)
    env.close()


def test_it_draws_itself_without_opengl_and_not_before_a_reset(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "disable")
    env = made(IDS[0])
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.render()
    env.reset(seed=0)
    first = env.render()
    assert first.shape == (432, 480, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, env.render())
    for _ in range(5):
        env.step(np.array([1.0, 1.0], dtype=np.float32))
    assert not np.array_equal(first, env.render())
    env.close()


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("gravity", 9, "no such option; it has: continuing_task, max_episode_steps, reset_target"),
        ("maze_map", [[1, 0, 1]], "no such option"),
        ("render_mode", "human", "no such option"),
        ("reward_type", "shaped", '"sparse" or "dense", not \'shaped\''),
        ("reward_type", [], '"sparse" or "dense"'),
        ("continuing_task", 1, "true or false, not 1"),
        ("max_episode_steps", 0, "a positive whole number, not 0"),
        ("max_episode_steps", True, "a positive whole number, not True"),
    ],
)
def test_an_option_that_it_cannot_take_is_named(option, value, words):
    with pytest.raises(BadOption, match=words) as caught:
        make_gym(IDS[0], options={option: value})
    assert caught.value.name == option


def test_sessions_step_and_draw_it():
    env = make_gym(IDS[1], "no_map", {"reward_type": "dense"})
    env.reset(seed=0)
    assert 0 < env.step(np.zeros(2, dtype=np.float32))[1] < 1
    assert picture(env).shape == (360, 480, 3)
    env.close()


def test_no_file_stays_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for env_id in IDS:
        env = registry.make(env_id)
        env.reset(0)
        env.close()
    assert list(tmp_path.iterdir()) == []


def test_making_one_says_nothing_and_leaves_the_other_families_simulators_as_they_were():
    code = (
        "import gymnasium\n"
        "from promptpo.sim.environments import registry\n"
        "ids = [i for i in registry.ids() if registry.spec(i).family == 'mujoco']\n"
        "before = [repr(gymnasium.spec(i)) for i in ids]\n"
        "env = registry.make('PointMaze_Large-v3')\n"
        "env.reset(0)\n"
        "env.render()\n"
        "env.close()\n"
        "assert ids and [repr(gymnasium.spec(i)) for i in ids] == before"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
