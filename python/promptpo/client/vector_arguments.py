"""What callers give to the vector environment, checked and made uniform. Raises INVALID_ARGUMENT: what was
expected, what came.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from gymnasium.vector import AutoresetMode

from promptpo.client.errors import FleetError
from promptpo.client.outcomes import Flags
from promptpo.client.packing import Array
from promptpo.client.shard_stream import ShardStream

Seeds: TypeAlias = int | Sequence[int | None] | None


def mode_of(given: AutoresetMode | str) -> AutoresetMode:
    """The autoreset mode, by its value or name."""
    if isinstance(given, AutoresetMode):
        return given
    for mode in AutoresetMode:
        if given in (mode.value, mode.name):
            return mode
    raise unfit("autoreset_mode", f"one of {[mode.value for mode in AutoresetMode]}", given)


def session_seeds(seed: int | Sequence[int] | None, count: int) -> list[int]:
    """What CreateEnvSession takes: nothing, one seed, or one an environment."""
    if seed is None:
        return []
    if isinstance(seed, int | np.integer):
        return [int(seed)]
    if len(seed) != count:
        raise unfit("seed", f"one an environment, {count}", len(seed))
    return [int(each) for each in seed]


def slices_of(shards: Sequence[ShardStream], count: int) -> list[slice]:
    """The environments of each shard; raises where they are not all of them in a row."""
    found = [slice(each.first_index, each.first_index + each.environment_count) for each in shards]
    ends = [0, *(each.stop for each in found)]
    if ends[-1] != count or any(each.start != end for each, end in zip(found, ends, strict=False)):
        raise FleetError(
            "MALFORMED_MESSAGE", f"the session's shards hold {found}, expected {count} environments in a row"
        )
    return found


def seeds_of(seed: Seeds, count: int) -> list[int | None]:
    """One an environment; None: its own generator goes on."""
    if seed is None:
        return [None] * count
    if isinstance(seed, int | np.integer):
        return [int(seed) + index for index in range(count)]
    if len(seed) != count:
        raise unfit("seed", f"one an environment, {count}", len(seed))
    return [None if each is None else int(each) for each in seed]


def resets_of(indices: Array, seeds: list[int | None]) -> list[tuple[Array, list[int]]]:
    """The requests for a shard: with seeds for those that have one, without for the others."""
    seeded = np.array([seeds[index] is not None for index in indices], np.bool_)
    groups = [(indices[seeded], [seed for index in indices[seeded] if (seed := seeds[index]) is not None])]
    groups.append((indices[~seeded], []))
    return [group for group in groups if len(group[0]) > 0]


def reset_mask(options: dict[str, Any] | None, count: int) -> Flags:
    """Which environments are reset; gymnasium's rules for `options`."""
    others = sorted(set(options or {}) - {"reset_mask"})
    if others:
        raise unfit("options", "only reset_mask (an environment's own are given when it is made)", others)
    mask = None if options is None else options.get("reset_mask")
    if mask is None:
        return np.ones(count, np.bool_)
    if not isinstance(mask, np.ndarray) or mask.shape != (count,) or mask.dtype != np.bool_:
        got = f"{mask.dtype}{list(mask.shape)}" if isinstance(mask, np.ndarray) else type(mask).__name__
        raise unfit("options['reset_mask']", f"an array bool[{count}]", got)
    if not mask.any():
        raise unfit("options['reset_mask']", "at least one True", "none")
    return mask


def spread(infos: dict[str, Any], ids: Array, count: int) -> dict[str, Any]:
    """Infos of some environments as infos of all."""
    wide: dict[str, Any] = {}
    for key, rows in infos.items():
        wide[key] = (
            np.full(count, None, dtype=object) if rows.dtype == object else np.zeros(count, rows.dtype)
        )
        wide[key][ids] = rows
    return wide


def unfit(what: str, expected: str, received: object) -> FleetError:
    """The error of an argument."""
    return FleetError("INVALID_ARGUMENT", f"{what}: expected {expected}, got {received!r}")
