"""From a policy's source to the object that answers: compile, choose the class, construct.

Runs inside the policy process, after confinement: compiling hostile source is itself an attack. Owns which
class is taken and what a source without one is told. Every failure leaves as PolicyFailed.
"""

# ruff: noqa: ANN401  a policy's object has no type that we know
from __future__ import annotations

import sys
from types import CodeType, ModuleType
from typing import Any, Final

from ..policy_error import PolicyError, PolicyFailed
from .report import FILE_NAME, raised, show_source, syntax_error

MODULE_NAME: Final = "policy"


def construct(source: str, class_name: str, method: str) -> Any:
    """A new object of the class `class_name`, or of the only class of the source that has a callable
    `method`."""
    show_source(source)
    code = _compiled(source)
    module = ModuleType(MODULE_NAME)
    # Dataclasses, pickle and inspect look a class's module up by name.
    sys.modules[MODULE_NAME] = module
    try:
        exec(code, module.__dict__)
        return _chosen(module, class_name, method)()
    except PolicyFailed:
        raise
    except BaseException as error:  # SystemExit and KeyboardInterrupt are a policy's failures too
        raise PolicyFailed(raised(error)) from error


def _compiled(source: str) -> CodeType:
    try:
        return compile(source, FILE_NAME, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        # ValueError: null bytes. RecursionError, MemoryError: nesting beyond the parser.
        raise PolicyFailed(syntax_error(error)) from error


def _chosen(module: ModuleType, class_name: str, method: str) -> type[Any]:
    named = module.__dict__.get(class_name)
    if isinstance(named, type) and callable(getattr(named, method, None)):
        return named
    own = _own_classes(module)
    able = [cls for cls in own if callable(getattr(cls, method, None))]
    # A class of the right name that lacks the method is a mistake to tell, not a reason to take another one.
    if len(able) == 1 and not isinstance(named, type):
        return able[0]
    raise PolicyFailed(
        PolicyError("NO_CLASS", _no_class(class_name, method, isinstance(named, type), own, able))
    )


def _own_classes(module: ModuleType) -> list[type[Any]]:
    """The classes that the source itself defines, each once, whatever names they were given."""
    found: dict[int, type[Any]] = {}
    for value in module.__dict__.values():
        if isinstance(value, type) and value.__module__ == MODULE_NAME:
            found[id(value)] = value
    return list(found.values())


def _no_class(class_name: str, method: str, exists: bool, own: list[type[Any]], able: list[type[Any]]) -> str:
    argument = "obs" if method == "act" else "traj"
    expected = f"expected a class {class_name} with a method {method}(self, {argument})"
    if exists:
        return f"{expected}; the class {class_name} has no callable {method}"
    if able:
        return f"{expected}; several other classes have one: {_listed(able)}"
    if own:
        return f"{expected}; the source defines only: {_listed(own)}"
    return f"{expected}; the source defines no class"


def _listed(classes: list[type[Any]]) -> str:
    names = sorted(cls.__name__ for cls in classes)
    return ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
