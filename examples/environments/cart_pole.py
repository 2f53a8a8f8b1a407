# A policy for "gym:CartPole-v1": lean against the fall.
class CartPolePolicy:
    def act(self, obs):
        position, velocity, angle, turning = obs.obs_vector
        return int(angle + 0.4 * turning + 0.02 * position + 0.06 * velocity > 0)
