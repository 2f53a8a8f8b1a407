"""Messages and stubs of promptpo.rollout, generated from proto/."""
