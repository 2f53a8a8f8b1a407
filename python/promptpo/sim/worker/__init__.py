"""The worker: the one trusted process of a sidecar that holds simulators and asks jailed policies for
actions."""
