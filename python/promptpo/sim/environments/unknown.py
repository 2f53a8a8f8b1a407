"""What is wrong with the name of an environment: there is none, there is no such variant, or it is broken.

Owns the three exceptions and their words. All are the caller's fault, or that of whoever wrote the
environment.
"""

from __future__ import annotations


class UnknownEnvironment(LookupError):
    """No environment has this id. The caller's fault; `nearest` holds up to three ids that look like it."""

    def __init__(self, id: str, nearest: tuple[str, ...]) -> None:  # noqa: A002 - the spec's own word
        self.id = id
        self.nearest = nearest
        hint = f"; nearest: {', '.join(nearest)}" if nearest else ""
        super().__init__(f"no environment is called {id!r}{hint}")


class UnknownVariant(LookupError):
    """The environment exists and has no such variant. The caller's fault."""

    def __init__(self, id: str, variant: str, variants: tuple[str, ...]) -> None:  # noqa: A002
        self.id = id
        self.variant = variant
        self.variants = variants
        super().__init__(f"{id} has no variant {variant!r}; it has: {', '.join(variants)}")


class BrokenEnvironment(ValueError):
    """An environment of somebody's own that cannot be offered; the message says what was expected where."""
