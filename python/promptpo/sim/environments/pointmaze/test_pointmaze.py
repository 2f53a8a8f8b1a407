# mypy: allow-untyped-defs, allow-untyped-calls
import dataclasses
import re
from collections import deque
from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
import pytest

from promptpo.sim.environments import registry
from promptpo.sim.environments.pointmaze.catalogue import MAZES, maze
from promptpo.sim.environments.pointmaze.environment import PointMaze
from promptpo.sim.environments.pointmaze.testing import bare
from promptpo.sim.environments.texts import texts

IDS = [each.id for each in MAZES]
LARGE, DIVERSE = IDS


def bare_loop(env, seed, act, steps):
    """What a plain gymnasium loop sees, bit for bit. `act` maps what was observed last to an action."""
    told, _ = env.reset(seed=seed)
    seen = [bits(told["observation"], told["desired_goal"], told["achieved_goal"])]
    for _ in range(steps):
        told, reward, terminated, truncated, info = env.step(act(told["observation"], told["desired_goal"]))
        fields = bits(told["observation"], told["desired_goal"], told["achieved_goal"])
        seen.append((fields, float(reward), terminated, truncated, info["success"]))
        if terminated or truncated:
            break
    return seen


def our_loop(env, seed, act, steps):
    observation = env.reset(seed)
    seen = [bits(*observation)]
    for _ in range(steps):
        step = env.step(act(*observation[:2]))
        observation = step.observation
        seen.append((bits(*observation), step.reward, step.terminated, step.truncated, step.success))
        if step.terminated or step.truncated:
            break
    return seen


def bits(*fields):
    return b"".join(field.tobytes() for field in fields)


def at_random(seed, dtype="float64", pushes=12):
    """Random forces, kept for some steps each so that the ball meets walls; some beyond the bounds."""
    forces = np.random.default_rng(seed).uniform(-1.4, 1.4, (800 // pushes + 1, 2))
    forces = np.round(forces * 2).astype(dtype) if dtype == "int64" else forces.astype(dtype)
    numbers = iter(np.repeat(forces, pushes, axis=0))
    return lambda *_: next(numbers)


class Navigator:
    """Goes to the goal by what a text tells: its map and its formulas, evaluated as they stand."""

    def __init__(self, told):
        self.rows = map_of(told)
        self.formulas = formulas_of(told)

    def __call__(self, vector, goal):
        here, end = self.cell(vector[:2]), self.cell(goal)
        target = goal if here == end else self.centre(self.toward(here, end))
        return np.clip(2.0 * (target - vector[:2]) - 0.8 * vector[2:], -1.0, 1.0)

    def cell(self, point):
        values = {"x": point[0], "y": point[1], "floor": lambda value: int(np.floor(value))}
        return tuple(eval(self.formulas[name], values) for name in ("row", "column"))

    def centre(self, cell):
        values = {"row": cell[0], "column": cell[1]}
        return np.array([eval(self.formulas[name], values) for name in ("x", "y")])

    def toward(self, here, end):
        """The cell after `here` on a shortest way to `end`."""
        waiting, after = deque([end]), {end: end}
        while waiting:
            row, column = at = waiting.popleft()
            for cell in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
                if self.rows[cell[0]][cell[1]] != "1" and cell not in after:
                    after[cell] = at
                    waiting.append(cell)
        return after[here]


def map_of(told):
    found = re.search(r"```\n([01rg\n]+)\n```", told)
    assert found
    return tuple(found[1].split("\n"))


def formulas_of(told):
    return dict(re.findall(r"^    (\w+) = (.+)$", told, re.MULTILINE))


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64"])
@pytest.mark.parametrize("env_id", IDS)
def test_episodes_are_bitwise_those_of_a_bare_loop_in_any_dtype(env_id, dtype):
    ours = registry.make(env_id)
    for seed in (0, 1, 51):
        theirs = bare(env_id)
        expected = bare_loop(theirs, seed, at_random(seed, dtype), 300)
        assert our_loop(ours, seed, at_random(seed, dtype), 300) == expected
        theirs.close()
    ours.close()


@pytest.mark.parametrize("env_id", IDS)
def test_what_the_text_tells_is_enough_to_reach_every_goal_and_the_episodes_are_those_of_a_bare_loop(env_id):
    act = Navigator(texts(env_id).observation)
    ours, theirs = registry.make(env_id), bare(env_id)
    for seed in range(8):
        seen = our_loop(ours, seed, act, 800)
        assert seen == bare_loop(theirs, seed, act, 800)
        # Reached at the last step and not before; the return is 1.
        assert [step[1:] for step in seen[1:-1]] == [(0.0, False, False, False)] * (len(seen) - 2)
        assert seen[-1][1:] == (1.0, True, False, True)
    theirs.close()
    ours.close()


def test_episodes_in_any_order_after_collisions_ends_and_abandoned_ones_are_the_same():
    act = Navigator(texts(LARGE).observation)
    used = registry.make(LARGE)
    expected = {}
    for seed in range(4):
        fresh = registry.make(LARGE)
        expected[seed] = our_loop(fresh, seed, at_random(seed), 200)
        fresh.close()
    for seed in (3, 0, 2, 1, 3):
        our_loop(used, 100 + seed, at_random(seed, pushes=40), 150)
        our_loop(used, 200 + seed, act, 800)
        assert our_loop(used, seed, at_random(seed), 200) == expected[seed]
    used.close()


def test_an_episode_is_truncated_at_the_horizon_and_then_over():
    env = registry.make(LARGE)
    with pytest.raises(RuntimeError, match="reset"):
        env.step(np.zeros(2))
    env.reset(0)
    ends = [env.step(np.zeros(2)) for _ in range(800)]
    assert [step.truncated for step in ends] == [False] * 799 + [True]
    assert not any(step.terminated or step.success or step.reward for step in ends)
    with pytest.raises(RuntimeError, match="reset"):
        env.step(np.zeros(2))
    env.close()
    env.close()


def test_a_goal_that_is_reached_at_the_last_step_terminates_and_truncates_as_a_bare_loop_says():
    act = Navigator(texts(LARGE).observation)
    plain = registry.make(LARGE)
    steps = len(our_loop(plain, 0, act, 800)) - 1
    short = PointMaze(dataclasses.replace(plain.spec, horizon=steps))
    theirs = bare(LARGE, max_episode_steps=steps)
    seen = our_loop(short, 0, act, 800)
    assert seen == bare_loop(theirs, 0, act, 800)
    assert seen[-1][1:] == (1.0, True, True, True)
    for env in (plain, short, theirs):
        env.close()


@pytest.mark.parametrize("env_id", IDS)
def test_the_catalogue_says_what_the_simulator_is(env_id):
    spec, live = registry.spec(env_id), bare(env_id)
    registered = gymnasium.spec(env_id)
    assert live.spec.max_episode_steps == registered.max_episode_steps == spec.horizon
    assert registered.kwargs["reward_type"] == "sparse"
    assert live.unwrapped.point_env.dt == spec.dt
    assert live.action_space.shape == spec.action.shape
    assert str(live.action_space.dtype) == spec.action.dtype
    assert (tuple(live.action_space.low), tuple(live.action_space.high)) == (
        spec.action.low,
        spec.action.high,
    )
    # One has the simulator's map, the other one deliberately not.
    assert (maze(env_id).cells() == registered.kwargs["maze_map"]) == (env_id == DIVERSE)
    live.close()


@pytest.mark.parametrize("env_id", IDS)
def test_the_map_and_the_formulas_of_the_text_are_the_simulators(env_id):
    live = bare(env_id).unwrapped
    told = Navigator(texts(env_id, "map").observation)
    rows = ["".join(str(cell) for cell in row) for row in live.maze.maze_map]
    assert list(told.rows) == rows
    walls = {name for i in range(live.model.ngeom) if (name := live.model.geom(i).name).startswith("block_")}
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            centre = told.centre((row, column))
            assert centre.tolist() == live.maze.cell_rowcol_to_xy(np.array([row, column])).tolist()
            assert (f"block_{row}_{column}" in walls) == (cell == "1")
            if cell == "1":
                block = live.model.geom(f"block_{row}_{column}")
                assert block.pos[:2].tolist() == centre.tolist()
                assert block.size[:2].tolist() == [0.5, 0.5]
    half = np.array([len(rows[0]), len(rows)]) / 2
    assert (
        f"x between -{half[0]} and {half[0]}, y between -{half[1]} and {half[1]}" in texts(env_id).observation
    )
    for point in np.random.default_rng(0).uniform(-half, half, (400, 2)):
        assert list(told.cell(point)) == live.maze.cell_xy_to_rowcol(point).tolist()
    live.close()


@pytest.mark.parametrize("env_id", IDS)
def test_without_the_map_nothing_tells_where_walls_starts_and_goals_are(env_id):
    told, untold = texts(env_id, "map"), texts(env_id, "no_map")
    assert registry.spec(env_id).variants == ("map", "no_map")
    assert registry.spec(env_id).variant == "map"
    everything = "\n".join((untold.observation, untold.implementation, *untold.rewards.values()))
    assert not re.search(r"[01rg]{5}", everything)
    assert "`g`" not in everything
    assert "(row 1, column 1)" not in everything
    assert formulas_of(untold.observation) == formulas_of(told.observation)
    assert untold.rewards == told.rewards


@pytest.mark.parametrize("env_id", IDS)
def test_the_reward_source_gives_the_simulators_own_reward(env_id):
    scope: dict[str, Any] = {}
    exec(compile(texts(env_id).rewards["source"], "reward.py", "exec"), scope)
    env, navigate = registry.make(env_id), Navigator(texts(env_id).observation)
    total = 0.0
    for seed, act in ((0, navigate), (1, navigate), (2, at_random(2)), (3, at_random(3, "float32"))):
        before = env.reset(seed)
        for _ in range(400):
            action = act(*before[:2])
            step = env.step(action)
            told = scope["reward"](named(env, before), action, named(env, step.observation))
            assert told == step.reward
            total += told
            before = step.observation
            if step.terminated:
                break
    assert total >= 1
    env.close()


def named(env, observation):
    pairs = zip(env.spec.observation, observation, strict=True)
    return SimpleNamespace(**{field.name: value for field, value in pairs})


def test_starts_and_goals_are_where_the_texts_say():
    for env_id in IDS:
        env, told = registry.make(env_id), Navigator(texts(env_id).observation)
        cells: dict[str, set[Any]] = {"ball": set(), "goal": set()}
        widest = 0.0
        for seed in range(500):
            vector, goal, _ = env.reset(seed)
            assert vector[2:].tolist() == [0.0, 0.0]
            assert told.cell(vector[:2]) != told.cell(goal)
            # No episode begins with its goal reached.
            assert np.linalg.norm(vector[:2] - goal) > 0.45
            for name, point in (("ball", vector[:2]), ("goal", goal)):
                cells[name].add(told.cell(point))
                away = np.abs(point - told.centre(told.cell(point))).max()
                assert away <= 0.25
                widest = max(widest, away)
        assert widest > 0.249
        free = {(r, c) for r, row in enumerate(told.rows) for c, cell in enumerate(row) if cell != "1"}
        marked = {cell: {at for at in free if told.rows[at[0]][at[1]] == cell} for cell in "rg"}
        if env_id == LARGE:
            assert cells == {"ball": free, "goal": free}
        else:
            assert cells == {"ball": marked["r"], "goal": marked["g"]}
            assert marked["r"] == {(1, 1)}
            assert "(row 1, column 1)" in texts(env_id).implementation
            assert f"the {len(marked['g'])} cells marked `g`" in texts(env_id).implementation
        env.close()


def test_forces_speeds_and_walls_are_as_the_implementation_text_says():
    live = bare(LARGE).unwrapped
    ball = live.model.body("particle")
    assert round(float(ball.mass[0]), 2) == 4.19
    assert float(live.model.geom("particle_geom").size[0]) == 0.1
    assert live.model.dof_damping.tolist() == [1.0, 1.0]
    assert live.model.actuator_gear[:, 0].tolist() == [100.0, 100.0]

    live.reset(seed=0)
    live.goal[:] = 9.0  # out of reach
    # From the middle of the cell (1, 3), at rest: three cells to the left are free, then there is a wall.
    live.point_env.set_state(np.array([-1.5, 3.0]), np.zeros(2))
    told = [live.step(np.array([-1.4, 0.2]))[0]["observation"] for _ in range(400)]
    assert 0.235 < -told[0][2] < 0.24
    assert told[0][3] == pytest.approx(told[0][2] / -5.0)
    # The wall's face is at x = -4, the one above at y = 3.5.
    assert told[-1][:2] == pytest.approx([-3.9, 3.4], abs=0.005)

    speeds = []
    for away in np.linspace(
        0.0, 0.06, 13
    ):  # how deep a step ends in the wall decides how hard it throws back
        live.point_env.set_state(np.array([-3.0 + away, 3.0]), np.array([-5.0, 0.5]))
        told = [live.step(np.zeros(2))[0]["observation"] for _ in range(30)]
        speeds.append(told[-1][2:])
    assert 0.0 < max(across for across, _ in speeds) < 5.0 / 4
    assert min(along for _, along in speeds) == pytest.approx(0.5 * np.exp(-0.3 / 4.19), abs=1e-3)
    live.close()


@pytest.mark.parametrize("env_id", IDS)
def test_positions_stay_in_the_maze_and_velocities_rarely_leave_what_the_text_says(env_id):
    env = registry.make(env_id)
    rows = maze(env_id).rows
    half = np.array([len(rows[0]), len(rows)]) / 2
    speeds = []
    for seed in range(6):
        act = at_random(seed, pushes=60)
        vector = env.reset(seed)[0]
        for _ in range(790):
            step = env.step(act())
            vector = step.observation[0]
            assert np.array_equal(step.observation[2], vector[:2])
            assert np.all(np.abs(vector[:2]) < half)
            speeds.append(np.abs(vector[2:]).max())
            if step.terminated:
                break
    assert max(speeds) > 5.0
    # The exceptions last a step: a wall's corner turns the speed along both axes into one along one of them.
    assert np.mean(np.array(speeds) > 5.3) < 0.005
    assert max(speeds) < 7.5
    env.close()
