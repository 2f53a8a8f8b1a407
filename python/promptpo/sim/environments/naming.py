"""The name of the class that a policy source defines, from an environment's id. Owns that rule."""

from __future__ import annotations

import re


def policy_class(id: str) -> str:  # noqa: A002 - the spec's own word
    """CamelCase without version, board number and separators, plus "Policy".

    "HalfCheetah-v5" -> "HalfCheetahPolicy", "button-press-v3" -> "ButtonPressPolicy",
    "NoiseWorld-4" -> "NoiseWorldPolicy", "PointMaze_Large-v3" -> "PointMazeLargePolicy".
    """
    stem = re.sub(r"-(v\d+|\d+)$", "", id)
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[-_]", stem)) + "Policy"
