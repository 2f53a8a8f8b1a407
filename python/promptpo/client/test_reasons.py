"""The table of reasons is the one that the services use."""

import json
from pathlib import Path

import grpc

from promptpo.client.reasons import DOMAIN, REASONS, reason_of_code

TABLE = Path(__file__).parents[3] / "packages/service-kit/reasons.json"


def test_the_table_equals_the_services_own() -> None:
    theirs = json.loads(TABLE.read_text())
    assert theirs["domain"] == DOMAIN
    ours = {name: (row.code.name, row.code.value[0], row.retryable) for name, row in REASONS.items()}
    assert ours == {
        name: (row["code"], row["number"], row["retryable"]) for name, row in theirs["reasons"].items()
    }


def test_every_code_has_a_reason_of_the_table() -> None:
    for code in grpc.StatusCode:
        assert reason_of_code(code, "ROLLOUT_UNAVAILABLE") in REASONS
    assert reason_of_code(grpc.StatusCode.UNAVAILABLE, "ROLLOUT_UNAVAILABLE") == "ROLLOUT_UNAVAILABLE"
