"""Properties are tried on the same cases each time; PROMPTPO_PROPERTY_SEED=random looks for new counterexamples."""

import os

from hypothesis import settings

settings.register_profile("same", derandomize=True)
if os.environ.get("PROMPTPO_PROPERTY_SEED") != "random":
    settings.load_profile("same")
