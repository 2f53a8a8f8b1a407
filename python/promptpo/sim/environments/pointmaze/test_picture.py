# mypy: allow-untyped-defs, allow-untyped-calls
from itertools import pairwise

import numpy as np
import pytest

from promptpo.sim.environments import registry
from promptpo.sim.environments.pointmaze.catalogue import MAZES, maze

IDS = [each.id for each in MAZES]


def pixel(env_id, frame, point):
    """The colour at a position in metres."""
    of = maze(env_id)
    side = frame.shape[1] / of.width
    row, column = frame.shape[0] / 2 - point[1] * side, point[0] * side + frame.shape[1] / 2
    return tuple(int(value) for value in frame[int(row), int(column)])


@pytest.mark.parametrize("env_id", IDS)
def test_a_picture_shows_walls_goal_and_ball_where_they_are(env_id):
    env = registry.make(env_id)
    vector, goal, _ = env.reset(0)
    frame = env.render()
    of = maze(env_id)
    assert frame.shape == (480 // of.width * of.height, 480, 3)
    assert frame.dtype == np.uint8
    assert frame.shape[0] % 2 == 0
    assert frame.flags.c_contiguous
    side = 480 // of.width
    corners = {  # away from the middle, where a ball or a goal may hide the cell
        (row, column): tuple(int(value) for value in frame[row * side + 3, column * side + 3])
        for row in range(of.height)
        for column in range(of.width)
    }
    walls = {colour for (row, column), colour in corners.items() if of.rows[row][column] == "1"}
    free = {colour for (row, column), colour in corners.items() if of.rows[row][column] != "1"}
    assert len(walls) == 1
    assert not walls & free
    assert len({pixel(env_id, frame, vector), pixel(env_id, frame, goal), *walls, *free}) >= 4
    env.close()


def test_the_same_episode_gives_the_same_pictures_and_drawing_changes_nothing():
    watched, unwatched = registry.make(IDS[0]), registry.make(IDS[0])
    for seed in (5, 2, 5):
        pictures = []
        watched.reset(seed)
        unwatched.reset(seed)
        pictures.append(watched.render())
        for _ in range(25):
            seen, unseen = watched.step(np.array([0.7, -0.4])), unwatched.step(np.array([0.7, -0.4]))
            assert all(map(np.array_equal, seen.observation, unseen.observation))
            pictures.append(watched.render())
        assert np.array_equal(pictures[-1], unwatched.render())
        assert all(not np.array_equal(a, b) for a, b in pairwise(pictures[::5]))
    watched.close()
    unwatched.close()


def test_a_picture_shows_the_way_that_the_ball_came_in_this_episode_only():
    env = registry.make(IDS[0])
    start = env.reset(0)[0][:2].copy()
    first = env.render()
    for _ in range(40):
        env.step(np.array([1.0, 0.0]))
    moved = env.render()
    assert pixel(IDS[0], moved, start) != pixel(IDS[0], first, start)
    behind = start + np.array([0.5, 0.0])
    assert pixel(IDS[0], moved, behind) != pixel(IDS[0], first, behind)
    env.reset(0)
    assert np.array_equal(env.render(), first)
    env.close()


def test_an_ended_episode_can_be_drawn_and_one_that_has_not_begun_cannot():
    env = registry.make(IDS[0])
    with pytest.raises(RuntimeError, match="reset"):
        env.render()
    env.reset(0)
    for _ in range(env.spec.horizon):
        env.step(np.zeros(2))
    assert env.render().shape == (432, 480, 3)
    env.close()
