"""Properties are tried on the same cases each time, unless PROMPTPO_PROPERTY_SEED=random."""

import os

from hypothesis import settings

settings.register_profile("same", derandomize=True)
if os.environ.get("PROMPTPO_PROPERTY_SEED") != "random":
    settings.load_profile("same")
