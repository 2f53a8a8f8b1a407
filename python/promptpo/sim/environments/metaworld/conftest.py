# mypy: allow-untyped-defs, allow-untyped-calls
"""Meta-World's own scripted policies, which solve nearly every task: they bring tests to where success is."""

import warnings

import numpy as np
import pytest


@pytest.fixture
def scripted():
    """env_id -> a function from observation vector to action, in [-1, 1]."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from metaworld.policies import ENV_POLICY_MAP

    def policy(env_id):
        made = ENV_POLICY_MAP[env_id]()

        def act(vector):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                # They write into what they are given.
                return np.clip(made.get_action(vector.copy()), -1, 1)

        return act

    return policy
