"""The object a policy reads: named, frozen, nothing behind it.

Owns how it looks from inside a policy (attribute access, repr, copies, the message of a misspelt field).
Holds values only: no environment, no reward, no info.
"""

# ruff: noqa: ANN401, ARG001  a class is made by hand here; its methods take whatever a policy passes
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

_FRAME: Final = "_frame"
"""The slot of the bytes that fields are read from; no field begins with an underscore."""


def observation_type(
    readers: Mapping[str, Callable[[bytes], Any]],
) -> tuple[type, Callable[[bytes], Any]]:
    """The class `Observation` with a field for each reader, and the fast way to make one from a frame.

    A field is read out of the frame when it is first asked for: a policy that looks at one of six does not
    pay for the others. A class of its own rather than a tuple: `obs[0]` must fail in the policy, not silently
    be a whole field.
    """
    names = tuple(readers)

    def init(self: Any, *values: Any) -> None:
        if len(values) != len(names):
            raise TypeError(
                f"Observation takes {len(names)} values ({', '.join(names)}), received {len(values)}"
            )
        for setter, value in zip(setters.values(), values, strict=True):
            setter(self, value)

    def refuse(self: Any, name: str, value: Any = None) -> None:
        raise AttributeError(f"an observation is read-only: {name!r} cannot be set or deleted")

    def first_read(self: Any, name: str) -> Any:
        # Called where a slot is empty, or there is none of that name.
        reader = readers.get(name)
        if reader is None:
            raise AttributeError(f"the observation has no field {name!r}; its fields are: {', '.join(names)}")
        value = reader(frame_of(self))
        setters[name](self, value)
        return value

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
            "__slots__": (*names, _FRAME),
            "__doc__": f"One observation. Fields: {', '.join(names)}.",
            "__module__": "policy",
            "__init__": init,
            "__setattr__": refuse,
            "__delattr__": refuse,
            "__getattr__": first_read,
            "__repr__": shown,
            "__copy__": itself,
            "__deepcopy__": itself,
            "__reduce__": reduced,
        },
    )
    # The slots' own descriptors go around __setattr__, and are the fastest way to fill an object.
    setters = {name: getattr(cls, name).__set__ for name in names}
    slot = getattr(cls, _FRAME)
    frame_of, set_frame = slot.__get__, slot.__set__
    new: Any = cls.__new__

    def make(frame: bytes) -> Any:
        made = new(cls)
        set_frame(made, frame)
        return made

    return cls, make
