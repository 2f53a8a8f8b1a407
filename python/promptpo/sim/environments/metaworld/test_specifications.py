# mypy: allow-untyped-defs, allow-untyped-calls
"""The reward specifications, formula by formula as the texts word them, against the simulator's own rewards.

What a text says is not in the observation (tcp, finger pads, the door's angle, the peg's head) is read from
the simulator here; everything else from observations.
"""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from promptpo.sim.environments import registry
from promptpo.sim.environments.metaworld.catalogue import SPECIFIED


def tol(x, bounds, margin, gaussian=False):
    low, high = bounds
    if low <= x <= high:
        return 1.0
    d = (low - x if x < low else x - high) / margin
    return 10.0 ** -(d**2) if gaussian else 1 / (1 + 9 * d**2)


def ham(p, q):
    return 0.0 if p == q == 0 else p * q / (p + q - p * q)


def length(x):
    return float(np.linalg.norm(x))


def cut(x, low, high):
    return min(max(float(x), low), high)


def grasp(q, cage):
    return (ham(cage, cut(q.a[3], 0, 1) if cage > 0.97 else 0) + cage) / 2


def over(q, start):
    return tol(length((q.tcp - q.obj)[[0, 2]]), (0, 0.005), length((start - q.tcp_start)[[0, 2]]) - 0.005)


def side(q, y, start, inner, outer):
    return tol(abs(y - q.obj[1]), (inner, outer), abs(abs(y - start[1]) - outer))


def button_press(q):
    near = tol(length(q.obj - q.tcp), (0, 0.05), length(q.obj - q.tcp_start))
    pressed = tol(abs(q.goal[1] - q.obj[1]), (0, 0.005), 0.0935)
    return 2 * ham(q.opening, near) + (8 * pressed if length(q.obj - q.tcp) <= 0.05 else 0)


def button_press_topdown(q):
    near = tol(length(q.obj - q.tcp), (0, 0.01), length(q.obj - q.tcp_start))
    pressed = tol(abs(q.goal[2] - q.obj[2]), (0, 0.005), 0.0935)
    return 5 * ham(1 - q.opening, near) + (5 * pressed if length(q.obj - q.tcp) <= 0.03 else 0)


def door_open(q):
    if abs(q.obj[0] - q.goal[0]) <= 0.08:
        return 10
    grab = (cut(q.a[3], -1, 1) + 1) / 2
    r = length(q.hand[:2] - (q.obj[:2] + np.array((-0.05, 0))))
    floor = 0 if r <= 0.12 else 0.04 * math.log(r - 0.12) + 0.4
    above = 1 if q.hand[2] >= floor else tol(floor - q.hand[2], (0, 0.01), floor / 2)
    place = tol(length(q.hand - (q.obj + np.array((0, 0.03, -0.01)))), (0, 0.06), 0.5)
    phi = -float(q.simulator.data.joint("doorjoint").qpos[0])
    opened = (0.2 if phi > math.pi / 90 else 0) + 0.8 * tol(2 * math.pi / 3 - phi, (0, 0.5), math.pi / 3)
    return 2 * ham(ham(above, place), grab) + 8 * opened


def drawer_open(q):
    weights = np.array((3, 3, 1))
    margin = length(weights * (q.goal + np.array((0, 0.2, 0)) - q.tcp_start))
    near = tol(length(weights * (q.obj - q.hand)), (0, 0.01), margin)
    return 5 * near + 5 * tol(length(q.obj - q.goal), (0, 0.02), 0.2)


def drawer_close(q):
    if length(q.obj - q.goal) <= 0.065:
        return 10
    place = tol(length(q.obj - q.goal), (0, 0.05), abs(length(q.obj_start - q.goal) - 0.05))
    margin = abs(length(q.obj_start - q.tcp_start) - 0.005)
    reach = tol(length(q.obj - q.tcp), (0, 0.005), margin, gaussian=True)
    return 10 * ham(ham(reach, cut(q.a[3], 0, 1)), place)


def window_open(q):
    place = tol(abs(q.obj[0] - q.goal[0]), (0, 0.05), 0.15)
    return 10 * ham(
        tol(length(q.obj - q.tcp), (0, 0.02), abs(length(q.obj_start - q.tcp_start) - 0.02)), place
    )


def window_close(q):
    first = q.obj_start + np.array((0.2, 0, 0))
    place = tol(abs(q.obj[0] - q.goal[0]), (0, 0.05), abs(abs(first[0] - q.goal[0]) - 0.05))
    margin = abs(length(first - q.tcp_start) - 0.02)
    return 10 * ham(tol(length(q.obj - q.tcp), (0, 0.02), margin, gaussian=True), place)


def reach(q):
    return 10 * tol(length(q.tcp - q.goal), (0, 0.05), length((0, 0.6, 0.2) - q.goal))


def push(q):
    if length(q.obj - q.goal) < 0.05:
        return 10
    place = tol(length(q.obj - q.goal), (0, 0.05), length(q.obj_start - q.goal))
    sides = [side(q, y, q.obj_start, 0.015, 0.05) for y in (q.left_y, q.right_y)]
    held = grasp(q, ham(ham(*sides), over(q, q.obj_start)))
    close = length(q.obj - q.tcp) < 0.02 and q.opening > 0
    return 4 * held + 1 + 5 * place if close else 2 * held


def pick_place(q):
    if length(q.obj - q.goal) < 0.05:
        return 10
    place = tol(length(q.obj - q.goal), (0, 0.05), length(q.obj_start - q.goal))
    left = tol(q.left_y - q.obj[1], (0.015, 0.05), abs(abs(q.left_y - q.obj[1]) - 0.05))
    right = tol(q.obj[1] - q.right_y, (0.015, 0.05), abs(abs(q.right_y - q.obj[1]) - 0.05))
    held = grasp(q, ham(ham(left, right), over(q, q.obj_start)))
    lifted = length(q.obj - q.tcp) < 0.02 and q.opening > 0 and q.obj[2] > q.obj_start[2] + 0.01
    return ham(held, place) + (1 + 5 * place if lifted else 0)


def peg_insert_side(q):
    weights = np.array((1, 2, 2))
    head = q.simulator.data.site("pegHead").xpos
    distance = length(weights * (head - q.goal))
    if distance <= 0.07:
        return 10
    near = tol(distance, (0, 0.07), length(weights * ((-0.1, 0.6, 0.015) - q.goal)))
    regions = (((0.08, 0.10, -0.12), (0.12, -0.10, -0.034)), ((0.08, 0.10, 0.03), (0.14, -0.10, 0.06)))
    place = ham(near, ham(*(fraction(head - q.goal, *region) for region in regions)))
    peg_start = q.obj_start - (0.03, 0, 0.01)
    sides = [side(q, y, peg_start, 0.0075, 0.03) for y in (q.left_y, q.right_y)]
    lifted = length(q.obj - q.tcp) < 0.08 and q.opening > 0 and q.obj[2] > peg_start[2] + 0.01
    held = 1 if lifted else grasp(q, ham(ham(*sides), over(q, peg_start)))
    return ham(held, place) + (1 + 5 * place if lifted else 0)


def fraction(point, start, end):
    parts = (point - np.array(start)) / (np.array(end) - np.array(start))
    return float(np.prod(parts)) if np.all((parts >= 0) & (parts <= 1)) else 1.0


FORMULAS = {
    "button-press-v3": button_press,
    "button-press-topdown-v3": button_press_topdown,
    "door-open-v3": door_open,
    "drawer-close-v3": drawer_close,
    "drawer-open-v3": drawer_open,
    "peg-insert-side-v3": peg_insert_side,
    "pick-place-v3": pick_place,
    "push-v3": push,
    "reach-v3": reach,
    "window-close-v3": window_close,
    "window-open-v3": window_open,
}

EXACT, PEG = 1e-6, 1e-2
"""The peg's text gives three corners and the head's first place rounded to millimetres."""


def quantities(env, vector, action, obj_start):
    simulator = env._env
    pads = [simulator.data.body(name).xpos[1] for name in ("leftpad", "rightpad")]
    return SimpleNamespace(
        simulator=simulator,
        hand=vector[0:3],
        opening=vector[3],
        obj=vector[4:7],
        goal=vector[36:39],
        a=action,
        obj_start=obj_start,
        tcp=simulator.tcp_center,
        # As the simulator keeps it; within 0.2 mm of where the tcp is at the first observation.
        tcp_start=simulator.init_tcp,
        left_y=pads[0],
        right_y=pads[1],
    )


def test_every_specified_task_is_checked():
    assert set(FORMULAS) == set(SPECIFIED)


@pytest.mark.parametrize("env_id", SPECIFIED)
def test_the_formulas_give_the_simulators_rewards(env_id, scripted):
    env = registry.make(env_id)
    seen = []
    for seed in (0, 1, 2):
        vector = env.reset(seed)[0]
        obj_start, act, rng = vector[4:7].copy(), scripted(env_id), np.random.default_rng(seed)
        for _ in range(130):
            # Solving, solving clumsily, flailing: the formulas have many branches.
            wobble = rng.normal(0, (0.0, 0.3, 2.0)[seed], 4)
            action = np.asarray(act(vector), dtype=np.float64) + wobble
            step = env.step(action)
            vector = step.observation[0]
            told = FORMULAS[env_id](quantities(env, vector, action, obj_start))
            assert told == pytest.approx(step.reward, abs=PEG if env_id.startswith("peg") else EXACT)
            seen.append((step.reward, step.success))
    # The episodes went from low rewards to success, so that every branch was met.
    assert min(reward for reward, _ in seen) < 4
    assert any(success for _, success in seen)
    env.close()


def test_pads_and_fingertips_are_where_the_texts_say(scripted):
    env = registry.make("pick-place-v3")
    vector, act = env.reset(0)[0], scripted("pick-place-v3")
    for _ in range(60):
        vector = env.step(act(vector)).observation[0]
        q = quantities(env, vector, None, None)
        width = 0.05 * q.opening - 0.003
        assert q.left_y == pytest.approx(q.hand[1] + width, abs=0.01)
        assert q.right_y == pytest.approx(q.hand[1] - width, abs=0.01)
        assert q.tcp == pytest.approx(q.hand - (0, 0, 0.045), abs=0.01)
    env.close()
