"""The environment variables that make numbers the same in every process, set before Python starts."""

from __future__ import annotations

from typing import Final

NUMERIC_ENVIRONMENT: Final[dict[str, str]] = {
    # The order of sets of strings.
    "PYTHONHASHSEED": "0",
    # A sum's order depends on the number of threads.
    **dict.fromkeys(
        ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
    ),
}
