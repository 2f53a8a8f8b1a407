"""The sidecar's reasons are rows of the one table, with the same code and the same advice on retries."""

from __future__ import annotations

import json
from pathlib import Path

from promptpo.sim.errors import DOMAIN, REASONS, SimError

TABLE = Path(__file__).resolve().parents[3] / "packages" / "service-kit" / "reasons.json"


def test_every_reason_is_a_row_of_the_table() -> None:
    table = json.loads(TABLE.read_text())
    assert table["domain"] == DOMAIN
    for reason, row in REASONS.items():
        known = table["reasons"][reason]
        assert (row.code, row.retryable) == (known["code"], known["retryable"]), reason


def test_an_error_survives_the_way_from_worker_to_server() -> None:
    error = SimError.decode(SimError("UNKNOWN_VARIANT", "no \u00e9 variant", {"variants": "a,b"}).encode())
    assert (error.reason, error.message, error.metadata) == (
        "UNKNOWN_VARIANT",
        "no \u00e9 variant",
        {"variants": "a,b"},
    )
