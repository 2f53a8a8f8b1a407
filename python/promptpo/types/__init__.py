"""Messages and stubs of promptpo.types, generated from proto/."""
