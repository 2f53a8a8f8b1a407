"""The simulator sidecar: environments, jailed policies, and the server that runs the one on the other."""
