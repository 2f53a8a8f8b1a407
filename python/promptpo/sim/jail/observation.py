"""The object a policy reads: named, frozen, nothing behind it.

Owns how it looks from inside a policy (attribute access, repr, copies, the message of a misspelt field).
Holds values only: no environment, no reward, no info.
"""

# ruff: noqa: ANN401, ARG001  a class is made by hand here; its methods take whatever a policy passes
from __future__ import annotations

from collections.abc import Callable
from typing import Any


def observation_type(names: tuple[str, ...]) -> tuple[type, Callable[[tuple[Any, ...]], Any]]:
    """The class `Observation` with the fields `names`, and the fast way to make one from a tuple of values.

    A class of its own rather than a tuple: `obs[0]` must fail in the policy, not silently be a whole field.
    """

    def init(self: Any, *values: Any) -> None:
        if len(values) != len(names):
            raise TypeError(
                f"Observation takes {len(names)} values ({', '.join(names)}), received {len(values)}"
            )
        for setter, value in zip(setters, values, strict=True):
            setter(self, value)

    def refuse(self: Any, name: str, value: Any = None) -> None:
        raise AttributeError(f"an observation is read-only: {name!r} cannot be set or deleted")

    def missing(self: Any, name: str) -> Any:
        raise AttributeError(f"the observation has no field {name!r}; its fields are: {', '.join(names)}")

    def shown(self: Any) -> str:
        return "Observation(" + ", ".join(f"{name}={getattr(self, name)!r}" for name in names) + ")"

    def itself(self: Any, _memo: Any = None) -> Any:
        return self

    def reduced(self: Any) -> tuple[Any, ...]:
        return cls, tuple(getattr(self, name) for name in names)

    cls = type(
        "Observation",
        (),
        {
            "__slots__": names,
            "__doc__": f"One observation. Fields: {', '.join(names)}.",
            "__module__": "policy",
            "__init__": init,
            "__setattr__": refuse,
            "__delattr__": refuse,
            "__getattr__": missing,
            "__repr__": shown,
            "__copy__": itself,
            "__deepcopy__": itself,
            "__reduce__": reduced,
        },
    )
    # The slots' own descriptors go around __setattr__, and are the fastest way to fill an object.
    setters = tuple(getattr(cls, name).__set__ for name in names)
    new: Any = cls.__new__

    if len(setters) == 1:
        only = setters[0]

        def make_one(values: tuple[Any, ...]) -> Any:
            made = new(cls)
            only(made, values[0])
            return made

        return cls, make_one

    def make(values: tuple[Any, ...]) -> Any:
        made = new(cls)
        for setter, value in zip(setters, values):  # noqa: B905  lengths are fixed by the layout
            setter(made, value)
        return made

    return cls, make
