"""What a request's options are to an environment, and what a shard tells of itself once it is made.

Owns the reading of JSON values as keyword arguments and the largest shard that answers leave room for.
"""

from __future__ import annotations

from typing import TypeAlias

from google.protobuf import struct_pb2

from promptpo.client.spaces import UnsupportedSpace, leaves, space_to_message
from promptpo.rollout.v1 import rollout_pb2
from promptpo.sim.errors import invalid
from promptpo.sim.sessions.frames import MAX_MESSAGE_BYTES
from promptpo.sim.sessions.settings import duration, lease_s
from promptpo.sim.v1 import sim_pb2

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


def options_of(struct: struct_pb2.Struct) -> dict[str, Json]:
    """Keyword arguments; whole numbers come as int, since JSON's one kind of number is a double."""
    return {name: _json(value) for name, value in sorted(struct.fields.items())}


def _json(value: struct_pb2.Value) -> Json:
    kind = value.WhichOneof("kind")
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind == "list_value":
        return [_json(each) for each in value.list_value.values]
    if kind == "struct_value":
        return options_of(value.struct_value)
    if kind == "string_value":
        return value.string_value
    return value.bool_value if kind == "bool_value" else None


def opened_message(
    request: sim_pb2.OpenSessionRequest, observation_space: object, action_space: object, unix_socket: str
) -> sim_pb2.ShardOpened:
    """What a shard tells of itself. Raises SimError for spaces that cannot be carried."""
    try:
        observation, action = space_to_message(observation_space), space_to_message(action_space)
        row_bytes = sum(leaf.nbytes for leaf in leaves(observation_space))
    except UnsupportedSpace as error:
        raise invalid("environment", f"{request.environment}: {error}") from error
    # An answer can hold two observations of each environment.
    most = (MAX_MESSAGE_BYTES - (1 << 20)) // max(1, 2 * row_bytes)
    if request.environment_count > most:
        problem = f"observations of {row_bytes} bytes leave room for {most} environments in a shard"
        raise invalid("environment_count", f"{problem}, got {request.environment_count}")
    return sim_pb2.ShardOpened(
        environment_count=request.environment_count,
        observation_space=observation,
        action_space=action,
        unix_socket=unix_socket,
        lease=duration(lease_s(request)),
        autoreset_mode=request.autoreset_mode or rollout_pb2.AUTORESET_MODE_NEXT_STEP,
    )
