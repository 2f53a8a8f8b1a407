# mypy: allow-untyped-defs, allow-untyped-calls
"""What the texts of Ant, Humanoid and InvertedDoublePendulum say of bodies, joints and motors, tried out."""

import re
from types import SimpleNamespace
from typing import Any

import gymnasium
import mujoco
import numpy as np
import pytest

from promptpo.sim.environments import registry
from promptpo.sim.environments.texts import texts

LEGS = {"front left": (1, 1), "back left": (-1, 1), "back right": (-1, -1), "front right": (1, -1)}


@pytest.fixture
def bare(request):
    made = gymnasium.make(request.param)
    yield made.unwrapped
    made.close()


@pytest.fixture
def ours(request):
    made = registry.make(request.param)
    yield made
    made.close()


def on(fixture, env_id):
    return pytest.mark.parametrize(fixture, [env_id], indirect=True)


def rows(text, heading):
    """The cells of the table below a heading of the observation text, without its first line."""
    table = re.search(rf"^### obs\.{heading}\n\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert table
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[1].splitlines()[2:]]


def posed(bare, angles=()):
    """The robot in its neutral pose but for some entries of qpos, without noise; returns its data."""
    qpos = bare.init_qpos.copy()
    for index, value in dict(angles).items():
        qpos[index] = value
    bare.set_state(qpos, np.zeros(bare.model.nv))
    return bare.data


def shift(bare, index, read):
    """How a point moves, in m a rad, when entry `index` of qpos grows from 0."""
    start = read(posed(bare)).copy()
    return (read(posed(bare, {index: 0.01})) - start) / 0.01


def named(env, observation):
    return SimpleNamespace(
        **{field.name: value for field, value in zip(env.spec.observation, observation, strict=True)}
    )


def rotation(quaternion):
    w, x, y, z = quaternion / np.linalg.norm(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


@pytest.mark.parametrize("bare", ["Ant-v5", "Humanoid-v5"], indirect=True)
def test_joint_limits_and_motors_are_as_told(bare):
    told = texts(bare.spec.id)
    limits = {}
    for index, _, meaning in rows(told.observation, "qpos"):
        for low, high in re.findall(r"limits (\S+) to ([^\s;]+)", meaning):
            limits[int(index)] = (float(low), float(high))
    hinges = range(1, bare.model.njnt)
    assert set(limits) == {bare.model.jnt_qposadr[joint] for joint in hinges}
    for joint in hinges:
        assert limits[bare.model.jnt_qposadr[joint]] == pytest.approx(bare.model.jnt_range[joint], abs=5e-4)
        assert bare.model.jnt_dofadr[joint] == bare.model.jnt_qposadr[joint] - 1

    motors = re.findall(
        r"^\| (\d+) \| [^|]+ \| (\d+) \|(?: (\d+) \|)? `qpos\[(\d+)\]` \|$", told.implementation, re.M
    )
    assert [int(index) for index, *_ in motors] == list(range(bare.model.nu))
    for index, factor, at_limit, position in motors:
        assert bare.model.actuator_gear[int(index)][0] == float(factor)
        assert bare.model.jnt_qposadr[bare.model.actuator_trnid[int(index), 0]] == int(position)
        if at_limit:
            assert float(at_limit) == pytest.approx(0.4 * float(factor))
    # The name of a motor's joint is that of its angle.
    joints = {int(index): meaning for index, _, meaning in rows(told.observation, "qpos") if index.isdigit()}
    for name, position in re.findall(
        r"^\| \d+ \| ([^|]+) \|.* `qpos\[(\d+)\]` \|$", told.implementation, re.M
    ):
        assert joints[int(position)].startswith(name + ",")


@on("bare", "Ant-v5")
def test_an_ants_legs_are_where_they_are_said_to_be_and_bend_as_said(bare):
    told = texts("Ant-v5").observation
    parts = [row[2] for row in rows(told, "cfrc_ext")]
    meanings = {int(index): meaning for index, _, meaning in rows(told, "qpos") if index.isdigit()}
    for number, (leg, (x, y)) in enumerate(LEGS.items()):
        first = 2 + 3 * number  # MuJoCo's body id of the leg's stump; the world is 0
        assert all(part.startswith(leg) for part in parts[first - 1 : first + 2])
        foot = first + 2
        assert (np.sign(posed(bare).xipos[foot][:2]) == (x, y)).all()
        hip, knee = 7 + 2 * number, 8 + 2 * number
        assert meanings[hip].startswith(f"{leg} hip")
        assert meanings[knee].startswith(f"{leg} knee")
        swing = shift(bare, hip, lambda data, foot=foot: data.xipos[foot])[0]
        assert ("forwards" if swing > 0 else "backwards") in meanings[hip]
        fall = shift(bare, knee, lambda data, foot=foot: data.xipos[foot])[2]
        assert f"{'positive' if fall < 0 else 'negative'} lowers the foot" in meanings[knee]


@on("ours", "Ant-v5")
def test_an_ant_at_rest_stands_as_low_and_weighs_as_much_as_told(ours):
    first = named(ours, ours.reset(0))
    assert not first.cfrc_ext.any()
    assert abs(np.linalg.norm(first.qpos[3:7]) - 1) > 1e-3
    for _ in range(100):
        step = ours.step(np.zeros(8))
    obs = named(ours, step.observation)
    assert obs.qpos[2] == pytest.approx(0.37, abs=0.01)
    # Contacts carry the weight (force, column 5) and turn nothing (torque, columns 0 to 2).
    assert obs.cfrc_ext.sum(0) == pytest.approx((0, 0, 0, 0, 0, 8.94), abs=0.01)
    assert set(np.flatnonzero(obs.cfrc_ext.any(1))) == {3, 6, 9, 12}
    assert np.linalg.norm(obs.qpos[3:7]) == pytest.approx(1)


@on("bare", "Humanoid-v5")
@pytest.mark.parametrize(
    ("angle", "body", "moves"),
    [
        (8, "pelvis", {"backwards": (-1, 0, 0)}),
        (9, "pelvis", {"left": (0, 1, 0)}),
        (10, "right_foot", {"inwards": (0, 1, 0)}),
        (12, "right_foot", {"backwards": (-1, 0, 0)}),
        (14, "left_foot", {"inwards": (0, -1, 0)}),
        (16, "left_foot", {"backwards": (-1, 0, 0)}),
        (18, "right_lower_arm", {"inwards": (0, 1, 0), "down": (0, 0, -1)}),
        (19, "right_lower_arm", {"forwards": (1, 0, 0), "up": (0, 0, 1)}),
        (21, "left_lower_arm", {"outwards": (0, 1, 0), "up": (0, 0, 1)}),
        (22, "left_lower_arm", {"backwards": (-1, 0, 0), "down": (0, 0, -1)}),
    ],
)
def test_a_humanoids_joints_turn_as_told(bare, angle, body, moves):
    meaning = {row[0]: row[2] for row in rows(texts("Humanoid-v5").observation, "qpos")}[str(angle)]
    # A body's frame is where the part hangs from the one before: of a lower arm, the elbow.
    moved = shift(bare, angle, lambda data: data.body(body).xpos)
    for word, direction in moves.items():
        assert word in meaning.split("positive")[1].split("negative")[0]
        assert moved @ direction > 0.05


@on("bare", "Humanoid-v5")
def test_a_humanoids_waist_feet_knees_and_elbows_turn_as_told(bare):
    def facing(name):
        return lambda data: data.body(name).xmat.reshape(3, 3)[:, 0]

    assert shift(bare, 7, facing("pelvis"))[1] > 0.9  # to the left
    assert shift(bare, 11, facing("right_thigh"))[1] > 0.9  # inwards
    assert shift(bare, 15, facing("left_thigh"))[1] < -0.9
    for knee, foot in ((13, "right_foot"), (17, "left_foot")):
        assert shift(bare, knee, lambda data, foot=foot: data.body(foot).xpos)[0] > 0.3  # negative: backwards
    for elbow, side in ((20, "right"), (23, "left")):
        apart = [
            np.linalg.norm(
                posed(bare, {elbow: angle}).geom(f"{side}_hand").xpos
                - posed(bare, {elbow: angle}).body(f"{side}_upper_arm").xpos
            )
            for angle in (-1.571, 0.0, 0.873)
        ]
        assert apart[0] > apart[1] > apart[2]  # stretched, bent, folded
    data = posed(bare)
    for side, y in (("right", -1), ("left", 1)):
        upper = data.body(f"{side}_lower_arm").xpos - data.body(f"{side}_upper_arm").xpos
        assert (np.sign(upper) == (1, y, -1)).all()  # forwards, outwards, down
    lowest = min(data.geom(f"{side}_foot").xpos[2] for side in ("right", "left")) - 0.075
    assert lowest == pytest.approx(0.107, abs=0.001)
    assert 1.4 - lowest == pytest.approx(1.29, abs=0.005)


@on("ours", "Humanoid-v5")
def test_a_humanoids_inertias_and_velocities_are_what_the_texts_make_of_them(ours):
    bare = gymnasium.make("Humanoid-v5").unwrapped
    bare.reset(seed=3)
    obs, data, model = named(ours, ours.reset(3)), bare.data, bare.model
    masses, offsets = obs.cinert[:, 9], obs.cinert[:, 6:9] / obs.cinert[:, 9:]
    assert masses.tolist() == model.body_mass[1:].tolist()
    assert masses.sum() == pytest.approx(42, abs=0.2)
    assert masses.sum() * 9.81 == pytest.approx(413, abs=1)
    center = masses @ data.xipos[1:] / masses.sum()
    assert obs.mass_center_xy == pytest.approx(center[:2])
    assert offsets == pytest.approx(data.xipos[1:] - center)
    velocity = np.zeros(6)
    for row in range(13):
        mujoco.mj_objectVelocity(model, data, mujoco.mjtObj.mjOBJ_BODY, row + 1, velocity, 0)
        assert obs.cvel[row, :3] == pytest.approx(velocity[:3])
        # MuJoCo speaks of the frame of inertia, that is, of the part's own centre of mass.
        assert obs.cvel[row, 3:] + np.cross(obs.cvel[row, :3], offsets[row]) == pytest.approx(velocity[3:])
        turned, offset = data.ximat[row + 1].reshape(3, 3), offsets[row]
        inertia = turned @ np.diag(model.body_inertia[row + 1]) @ turned.T
        inertia += masses[row] * (offset @ offset * np.eye(3) - np.outer(offset, offset))
        assert obs.cinert[row, :6] == pytest.approx(inertia[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]])
    # The torso's own spin is told about its own axes, in the world's by cvel.
    assert rotation(obs.qpos[3:7]) @ obs.qvel[3:6] == pytest.approx(obs.cvel[0, :3])
    names = [row[2].split(" with ")[0] for row in rows(texts("Humanoid-v5").observation, "cinert")]
    waist = {"lwaist": "waist"}
    assert names == [
        waist.get(model.body(row + 1).name, model.body(row + 1).name).replace("_", " ") for row in range(13)
    ]
    bare.close()


@on("ours", "Humanoid-v5")
def test_a_humanoids_torques_are_its_last_action_cut_times_the_factors(ours):
    first = named(ours, ours.reset(1))
    assert not first.ctrl.any()
    assert not first.cfrc_ext.any()
    action = np.linspace(-0.6, 0.6, 17)
    obs = named(ours, ours.step(action).observation)
    assert obs.ctrl.tolist() == action.tolist()
    factors = np.array([100, 100, 100, 100, 100, 300, 200, 100, 100, 300, 200, *[25] * 6])
    torques = np.clip(action, -0.4, 0.4) * factors
    torques[[0, 1]] = torques[[1, 0]]
    assert obs.qfrc_actuator == pytest.approx(torques)


@on("ours", "Humanoid-v5")
def test_a_humanoid_without_torques_is_down_after_about_40_steps_and_stands_on_what_contacts_say(ours):
    ours.reset(0)
    for count in range(1, 100):
        step = ours.step(np.zeros(17))
        if step.terminated:
            break
        obs = named(ours, step.observation)
        touching = set(np.flatnonzero(obs.cfrc_ext.any(1)))
        # Until it is nearly down, only the feet carry; they push up.
        assert count > 30 or touching <= {5, 8}
        assert obs.cfrc_ext[:, 5].sum() >= 0
    assert 35 <= count <= 45


@on("bare", "Humanoid-v5")
def test_a_humanoids_contact_cost_ends_at_ten(bare):
    scope: dict[str, Any] = {}
    exec(compile(texts("Humanoid-v5").rewards["source"], "reward.py", "exec"), scope)
    posed(bare)
    for force, cost in ((100.0, 5e-7 * 78 * 100.0**2), (3000.0, 10.0)):
        bare.data.cfrc_ext[1:] = force
        assert bare.contact_cost == pytest.approx(cost)
        still = SimpleNamespace(
            mass_center_xy=np.zeros(2),
            dt=0.015,
            ctrl=np.zeros(17),
            qpos=bare.data.qpos,
            cfrc_ext=bare.data.cfrc_ext[1:],
        )
        assert scope["reward"](still, np.zeros(17), still) == pytest.approx(5 - cost)


@on("bare", "InvertedDoublePendulum-v5")
def test_the_pendulums_motor_masses_and_rail_are_as_told(bare):
    assert bare.model.actuator_gear[0][0] == 500
    assert bare.model.body_mass[1:] == pytest.approx((10.5, 4.2, 4.2), abs=0.05)
    assert bare.model.dof_damping.tolist() == [0.05] * 3
    assert bare.model.jnt_range[0].tolist() == [-1, 1]
    assert bare.model.jnt_limited.tolist() == [1, 0, 0]
    assert posed(bare).site("tip").xpos.tolist() == [0, 0, 1.2]
    assert bare.step(np.ones(1))[0][5] > 1
    for x, action, force in ((0.995, 1, -10), (-0.995, -1, 10), (0.9, 1, 0)):
        bare.set_state(np.array((x, 0.0, 0.0)), np.zeros(3))
        bare.data.ctrl[:] = action
        mujoco.mj_forward(bare.model, bare.data)
        assert bare._get_obs()[8] == force
    # Both angles lean towards +x, the second relative to the first.
    assert shift(bare, 1, lambda data: data.site("tip").xpos)[0] == pytest.approx(1.2, abs=0.01)
    assert shift(bare, 2, lambda data: data.site("tip").xpos)[0] == pytest.approx(0.6, abs=0.01)


@on("ours", "InvertedDoublePendulum-v5")
def test_a_pendulum_without_force_falls_in_about_ten_steps(ours):
    ends = []
    for seed in range(20):
        ours.reset(seed)
        count = 1
        while not ours.step(np.zeros(1)).terminated:
            count += 1
        ends.append(count)
    assert 9 <= np.mean(ends) <= 11
