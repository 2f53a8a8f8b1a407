"""Sessions on a real fleet: gymnasium's own bits, its checkers, and sidecars that die."""

import warnings
from typing import Any, Literal

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.wrappers.vector import NormalizeObservation, RecordEpisodeStatistics

from promptpo.client import (
    FleetError,
    FleetVectorEnv,
    evaluate,
    gymnasium_id,
    make,
    make_vec,
    register,
    register_all,
)
from promptpo.client.known_ids import KNOWN_IDS
from promptpo.client.real_fleet import RealFleet, kill_shards, kill_sidecar
from promptpo.sim.environments import registry

STEPS = 1000


def local(environment: str, count: int, mode: AutoresetMode = AutoresetMode.NEXT_STEP) -> SyncVectorEnv:
    return SyncVectorEnv([lambda: gymnasium.make(environment)] * count, autoreset_mode=mode)


def equal(ours: Any, theirs: Any) -> bool:
    """To the last bit."""
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(equal(ours[key], theirs[key]) for key in ours)
    same_kind: bool = ours.dtype == theirs.dtype and ours.shape == theirs.shape
    if same_kind and ours.dtype == object:
        return all(
            mine is reference or equal(mine, reference) for mine, reference in zip(ours, theirs, strict=True)
        )
    return same_kind and ours.tobytes() == theirs.tobytes()


def followed(ours: FleetVectorEnv, theirs: SyncVectorEnv) -> int:
    """Steps both in the same way, compares what comes back; how many episodes ended."""
    theirs.action_space.seed(1)
    ended_count = 0
    assert equal(ours.reset(seed=3)[0], theirs.reset(seed=3)[0])
    for _ in range(STEPS):
        actions = theirs.action_space.sample()
        mine, reference = ours.step(actions), theirs.step(actions)
        assert all(map(equal, mine[:4], reference[:4]))
        for key in ("final_obs", "_final_obs"):
            assert (key in mine[4]) == (key in reference[4])
            assert key not in mine[4] or equal(mine[4][key], reference[4][key])
        ended = mine[2] | mine[3]
        ended_count += int(ended.sum())
        if ours.autoreset_mode is AutoresetMode.DISABLED and ended.any():
            # Every second time with seeds for some of them.
            seed = [7 if row % 2 else None for row in range(ours.num_envs)] if ended_count % 2 else None
            mask = {"reset_mask": ended}
            assert equal(
                ours.reset(seed=seed, options=dict(mask))[0], theirs.reset(seed=seed, options=dict(mask))[0]
            )
    return ended_count


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("transport", ["unix", "grpc"])
def test_remote_equals_local(
    fleet: RealFleet, transport: Literal["unix", "grpc"], mode: AutoresetMode
) -> None:
    ours = make_vec("Hopper-v5", 5, rollout=fleet.address, autoreset_mode=mode, transport=transport)
    assert followed(ours, local("Hopper-v5", 5, mode)) > 50
    ours.close()


def test_remote_equals_local_where_spaces_are_discrete(fleet: RealFleet) -> None:
    ours = make_vec("gym:FrozenLake-v1", 3, rollout=fleet.address, options={"is_slippery": True})
    theirs = SyncVectorEnv([lambda: gymnasium.make("FrozenLake-v1", is_slippery=True)] * 3)
    assert ours.single_observation_space == theirs.single_observation_space
    followed(ours, theirs)
    ours.close()


def test_an_environments_own_options(fleet: RealFleet) -> None:
    ours = make("HalfCheetah-v5", rollout=fleet.address, options={"forward_reward_weight": 2.0})
    theirs = gymnasium.make("HalfCheetah-v5", forward_reward_weight=2.0)
    assert equal(ours.reset(seed=0)[0], theirs.reset(seed=0)[0])
    action = theirs.action_space.sample()
    assert ours.step(action)[1] == theirs.step(action)[1]
    ours.close()
    with pytest.raises(FleetError, match="no_such_option") as raised:
        make("HalfCheetah-v5", rollout=fleet.address, options={"no_such_option": 1})
    assert raised.value.reason == "INVALID_ARGUMENT"


def test_send_and_recv_give_every_row_once_in_its_own_order(fleet: RealFleet) -> None:
    ours = make_vec("HalfCheetah-v5", 6, rollout=fleet.address)
    theirs = local("HalfCheetah-v5", 6)
    first, _ = theirs.reset(seed=11)
    actions = np.random.default_rng(2).uniform(-1, 1, (20, 6, 6)).astype(np.float32)
    wanted = [theirs.step(each) for each in actions]
    ours.async_reset(seed=11)
    at = np.full(6, -1)
    while (at < len(actions) - 1).any():
        observations, rewards, _, _, infos = ours.recv()
        ids = infos["env_id"]
        assert len(ids) <= ours.batch_size
        for row, env_id in enumerate(ids):
            reference = first if at[env_id] < 0 else wanted[at[env_id]][0]
            assert equal(observations[row], reference[env_id])
            assert at[env_id] < 0 or rewards[row] == wanted[at[env_id]][1][env_id]
        more = ids[at[ids] < len(actions) - 1]
        at[ids] += 1
        if len(more) > 0:
            # Backwards, and not the whole shard: the order is the caller's.
            for part in (more[::-1][:2], more[::-1][2:]):
                if len(part) > 0:
                    ours.send(actions[at[part], part], part)
    ours.close()


def test_success_is_in_the_infos_of_environments_that_know_it(fleet: RealFleet) -> None:
    ours = make_vec("reach-v3", 2, rollout=fleet.address, seed=0)
    ours.reset()
    *_, infos = ours.step(ours.action_space.sample())
    assert infos["success"].dtype == np.bool_
    assert infos["_success"].all()
    ours.close()


@pytest.mark.parametrize("transport", ["unix", "grpc"])
def test_a_shard_that_crashes_is_replaced_on_the_spot(
    fleet: RealFleet, transport: Literal["unix", "grpc"]
) -> None:
    ours = make_vec("HalfCheetah-v5", 2, rollout=fleet.address, transport=transport)
    ours.reset(seed=5)
    actions = np.ones((2, 6), np.float32)
    ours.step(actions)
    for shard in ours._session.shards:
        assert kill_shards(shard.target) == 1
    *_, truncated, infos = ours.step(actions)
    assert truncated.all()
    assert infos["_cause"].all()
    observations, *_, truncated, infos = ours.step(actions)
    assert observations.any(axis=1).all()
    assert not truncated.any()
    assert "cause" not in infos
    ours.close()


def test_a_sidecar_that_dies_truncates_its_environments_and_the_rest_goes_on(fleet: RealFleet) -> None:
    ours = make_vec("HalfCheetah-v5", 4, rollout=fleet.address)
    theirs = local("HalfCheetah-v5", 4)
    ours.reset(seed=5)
    theirs.reset(seed=5)
    actions = np.ones((4, 6), np.float32)
    assert equal(ours.step(actions)[0], theirs.step(actions)[0])
    kill_sidecar(ours._session.shards[1].target)
    truncated = np.zeros(4, np.bool_)
    while not truncated.any():  # its environments outlive it by a moment
        observations, _, terminated, truncated, infos = ours.step(actions)
        assert equal(observations[:2], theirs.step(actions)[0][:2])
    assert truncated.tolist() == [False, False, True, True]
    assert not terminated.any()
    assert infos["_cause"].tolist() == [False, False, True, True]
    assert all(isinstance(cause, str) and cause for cause in infos["cause"][2:])
    observations, _, _, truncated, infos = ours.step(actions)
    assert equal(observations[:2], theirs.step(actions)[0][:2])
    assert not truncated.any()
    assert "cause" not in infos
    assert np.isfinite(observations).all()
    assert observations[2:].any()
    ours.close()


@pytest.mark.parametrize("environment", ["HalfCheetah-v5", "NoiseWorld-0", "gym:CartPole-v1"])
def test_gymnasiums_checker_finds_nothing(fleet: RealFleet, environment: str) -> None:
    register([environment])
    env = gymnasium.make(gymnasium_id(environment), rollout=fleet.address)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Infinite bounds are the environments' own; that is all there is to say.
        warnings.filterwarnings("ignore", message=".*infinity.*")
        check_env(env.unwrapped, skip_render_check=True)
    env.close()


def test_pictures(fleet: RealFleet) -> None:
    ours = make_vec("NoiseWorld-0", 2, rollout=fleet.address, seed=0)
    ours.reset()
    pictures = ours.render()
    assert pictures is not None
    assert len(pictures) == 2
    assert all(each.dtype == np.uint8 and each.shape[2] == 3 for each in pictures)
    assert equal(pictures[0], pictures[1])
    ours.step(np.array([1, 3]))
    ours.close()
    silent = make("NoiseWorld-0", rollout=fleet.address)
    silent.reset(seed=0)
    assert silent.render() is None
    silent.close()


def test_gymnasium_finds_the_fleets_environments(fleet: RealFleet) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        envs = gymnasium.make_vec(
            "promptpo.client:promptpo/HalfCheetah-v5",
            num_envs=3,
            vectorization_mode="vector_entry_point",
            rollout=fleet.address,
            autoreset_mode=AutoresetMode.SAME_STEP,
            forward_reward_weight=2.0,
        )
    assert isinstance(envs, VectorEnv)
    assert envs.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert envs.spec is not None
    assert envs.spec.id == "promptpo/HalfCheetah-v5"
    first, _ = envs.reset(seed=0)
    again, _ = envs.reset(seed=0)
    assert data_equivalence(first, again, exact=True)
    assert first in envs.observation_space
    envs.close()


def test_gymnasiums_vector_wrappers_work_on_it(fleet: RealFleet) -> None:
    envs = NormalizeObservation(
        RecordEpisodeStatistics(make_vec("InvertedDoublePendulum-v5", 3, rollout=fleet.address))
    )
    envs.reset(seed=0)
    episodes = 0
    for _ in range(50):
        *_, infos = envs.step(envs.action_space.sample())
        episodes += int(infos["_episode"].sum()) if "episode" in infos else 0
    assert episodes > 0
    envs.close()


def test_the_registered_ids_are_the_fleets(fleet: RealFleet) -> None:
    assert registry.ids() == KNOWN_IDS
    assert set(register_all(rollout=fleet.address)) >= {gymnasium_id(each) for each in KNOWN_IDS}


def test_any_environment_has_an_id(fleet: RealFleet) -> None:
    env = gymnasium.make("promptpo/Any-v0", environment="gym:CartPole-v1", rollout=fleet.address)
    theirs = gymnasium.make("CartPole-v1")
    assert equal(env.reset(seed=1)[0], theirs.reset(seed=1)[0])
    env.close()


def test_a_function_scores_what_its_source_scores(fleet: RealFleet) -> None:
    source = (
        "import numpy as np\n\nclass HopperPolicy:\n    def act(self, obs):\n"
        "        return np.sin(obs.obs_vector[:3] * 3).astype(np.float32)\n"
    )
    seeds = range(7, 12)
    of_source = evaluate("Hopper-v5", source, seeds, rollout=fleet.address)
    of_function = evaluate(
        "Hopper-v5", lambda obs: np.sin(obs[:, :3] * 3).astype(np.float32), seeds, rollout=fleet.address
    )
    assert not any(episode.HasField("error") for episode in of_source.episodes)
    for one, other in zip(of_source.episodes, of_function.episodes, strict=True):
        assert (one.seed, one.return_value, one.length) == (other.seed, other.return_value, other.length)
    assert of_source.summary.mean_return == of_function.summary.mean_return
