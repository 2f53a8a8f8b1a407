# A policy for the environment "docking": full force towards the berth, and the brakes in time.
import numpy as np


class DockingPolicy:
    def act(self, obs):
        to_go = obs.berth - obs.position
        braking = obs.velocity * abs(obs.velocity) / (2 * 1.6)
        return np.clip(np.array([8.0 * (to_go - braking) - 1.0 * obs.velocity]), -2.0, 2.0)
