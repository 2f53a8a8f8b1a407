"""Log lines of the sidecar: one JSON object a line on standard error, which the rollout service passes on."""

from __future__ import annotations

import json
import sys
import traceback
from datetime import UTC, datetime
from typing import Literal, TypeAlias

Level: TypeAlias = Literal["debug", "info", "warn", "error"]


def log(level: Level, message: str, *, error: BaseException | None = None, **fields: object) -> None:
    """Writes one line, in one write, so that lines of several processes do not mix."""
    line: dict[str, object] = {
        "level": level,
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "name": "sidecar",
        "msg": message,
        **fields,
    }
    if error is not None:
        line["error"] = "".join(traceback.format_exception(error))
    sys.stderr.write(json.dumps(line, default=str) + "\n")
    sys.stderr.flush()
