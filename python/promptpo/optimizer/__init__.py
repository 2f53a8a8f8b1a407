"""Messages and stubs of promptpo.optimizer, generated from proto/."""
