"""Moves the hand in front of the button, then pushes."""

import numpy as np


class ButtonPressPolicy:
    def act(self, obs):
        hand, button = obs.obs_vector[:3], obs.obs_vector[4:7]
        goal = button + np.array([0.0, 0.0, -0.07])
        if np.abs(hand - goal)[[0, 2]].max() > 0.02:
            goal = np.array([goal[0], hand[1], goal[2]])
        else:
            goal = goal + np.array([0.0, 0.2, 0.0])
        move = np.minimum(np.maximum(10.0 * (goal - hand), -1.0), 1.0)
        return np.array([move[0], move[1], move[2], 0.0])
