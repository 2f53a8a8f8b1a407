"""Walks right and down in turns."""


class NoiseWorldPolicy:
    def __init__(self):
        self.steps = 0

    def act(self, obs):
        self.steps += 1
        return 1 + 2 * (self.steps % 2)
