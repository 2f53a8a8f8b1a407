"""Messages and stubs of promptpo.llm, generated from proto/."""
