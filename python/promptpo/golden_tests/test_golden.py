"""The other half of packages/contracts/src/golden.test.ts, over the same files.

`packages/contracts/golden/<type name>[.<case>].json` is the canonical proto JSON of a message, the `.binpb`
beside it its wire bytes.
"""

import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.message import Message

from promptpo.llm.v1 import llm_pb2
from promptpo.optimizer.v1 import optimizer_pb2
from promptpo.rollout.v1 import rollout_pb2
from promptpo.sim.v1 import sim_pb2
from promptpo.types.v1 import types_pb2

FOLDER = Path(__file__).resolve().parents[3] / "packages" / "contracts" / "golden"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))

# Importing a stub registers its messages in the default pool. Those of google.rpc have no types, so they are
# imported by name; error_details is what a Status has in its details.
POOL = descriptor_pool.Default()
STATUS, _ = (importlib.import_module(f"google.rpc.{name}_pb2") for name in ("status", "error_details"))
STUBS = (llm_pb2, optimizer_pb2, rollout_pb2, sim_pb2, types_pb2, STATUS)


def message_of(name: str) -> Message:
    # A type's name begins with a capital, a case's with a small letter.
    type_name = re.sub(r"(\.[A-Z]\w*)\.[a-z_]+$", r"\1", name)
    return message_factory.GetMessageClass(POOL.FindMessageTypeByName(type_name))()


def wire_bytes(name: str) -> bytes:
    return (FOLDER / f"{name}.binpb").read_bytes()


def written_json(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text("utf-8"))


def exact(value: object) -> str:
    """A text in which -0.0 is not 0.0, which == would not see."""
    return json.dumps(value, sort_keys=True)


@pytest.mark.parametrize("name", NAMES)
class TestGolden:
    def test_is_decoded_and_encoded_to_the_same_bytes(self, name: str) -> None:
        message = message_of(name)
        message.ParseFromString(wire_bytes(name))
        assert message.SerializeToString(deterministic=True) == wire_bytes(name)

    def test_has_the_json_that_is_written_down(self, name: str) -> None:
        message = message_of(name)
        message.ParseFromString(wire_bytes(name))
        assert exact(json_format.MessageToDict(message)) == exact(written_json(name))

    def test_is_what_its_json_stands_for(self, name: str) -> None:
        message = json_format.ParseDict(written_json(name), message_of(name))
        assert message.SerializeToString(deterministic=True) == wire_bytes(name)


def test_the_golden_folder_has_messages_of_every_stub() -> None:
    files = {message_of(name).DESCRIPTOR.file.name for name in NAMES}
    assert files >= {stub.DESCRIPTOR.name for stub in STUBS}
