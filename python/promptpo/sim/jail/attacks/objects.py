"""Attacks by what `act` returns: objects that loop, lie, fail or change while they are read."""

from __future__ import annotations

from typing import Final

from promptpo.sim.jail.attacks.attack import QUICK, Attack


def _spins(name: str, code: str) -> Attack:
    return Attack(name, code, "CPU", "one action took more than 0.2 s of CPU time", QUICK)


def _bad(name: str, code: str, says: str) -> Attack:
    return Attack(name, code, "BAD_ACTION", says, QUICK)


_ARRAY: Final = """
class Action(np.ndarray):
    {method}
return np.ones((), int).view(Action)
"""

_ANY: Final = """
class Action:
    {method}
return Action()
"""

ATTACKS: Final = (
    _spins(
        "loops in __array__", _ANY.format(method="def __array__(self, *_, **__):\n        while True: pass")
    ),
    _spins(
        "loops in __array_interface__",
        _ANY.format(method="@property\n    def __array_interface__(self):\n        while True: pass"),
    ),
    _spins(
        "loops in __getattr__", _ANY.format(method="def __getattr__(self, name):\n        while True: pass")
    ),
    _spins("loops in __repr__", _ANY.format(method="def __repr__(self):\n        while True: pass")),
    _spins(
        "loops in __len__",
        _ANY.format(
            method="def __getitem__(self, i): return 0\n    def __len__(self):\n        while True: pass"
        ),
    ),
    _spins(
        "loops in __float__",
        "class One(int):\n    def __float__(self):\n        while True: pass\nreturn np.array(One(), float)",
    ),
    _spins(
        "loops in a list that holds itself",
        "class L(list):\n    def __iter__(self):\n        while True: pass\n"
        "    def __len__(self):\n        while True: pass\nreturn L([1])",
    ),
    _spins(
        "loops in an exception's text",
        "class E(Exception):\n    def __str__(self):\n        while True: pass\nraise E",
    ),
    _bad(
        "fails in __array__",
        _ANY.format(method="def __array__(self, *_, **__): raise ValueError('no')"),
        "no",
    ),
    _bad("fails in __repr__", _ANY.format(method="def __repr__(self): raise ValueError('no')"), "Action ..."),
    Attack(
        "leaves in __array__",
        _ANY.format(method="def __array__(self, *_, **__): raise SystemExit(0)"),
        "EXCEPTION",
        "SystemExit: 0",
    ),
    Attack(
        "tells other bytes than it has",
        _ARRAY.format(
            method="def tobytes(self, *_): return b'\\xff' * 1000\n    shape = property(lambda self: (7,))"
        ),
    ),
    Attack(
        "lies about its size",
        _ANY.format(
            method="__array_interface__ = {'shape': (10**9,), 'typestr': '<i8', "
            "'data': (0, True), 'version': 3}"
        ),
        "MEMORY",
        "Unable to allocate",
        QUICK,
    ),
    Attack(
        "gives an address that is none",
        _ANY.format(
            method="__array_interface__ = {'shape': (), 'typestr': '<i8', 'data': (8, True), 'version': 3}"
        ),
        "KILLED",
        "killed by SIGSEGV",
    ),
    _bad("answers with objects", "return np.array([object()])", "expected numbers"),
    _bad("answers with a record", "return np.zeros((), [('code', 'i8')])", "expected numbers"),
    _bad("answers with a moment", "return np.datetime64(3, 's')", "expected numbers"),
    _bad("answers with text", "return np.array('3')", "expected numbers"),
    _bad("answers with a complex number", "return 3 + 0j", "expected numbers"),
    _bad("answers with no number", "return float('nan')", "expected one integer"),
    _bad("answers with infinity", "return float('inf')", "expected one integer"),
    _bad("answers with a number beyond 64 bits", "return 1 << 70", "expected numbers"),
    _bad("answers with many dimensions", "return np.zeros((1,) * 64, int)", "64 dimensions"),
    _bad("answers with an empty array", "return np.zeros((0,), int)", "shape (0,)"),
    _bad("answers with itself", "nested = []; nested.append(nested); return nested", "act returned"),
    Attack("answers with a masked number", "return np.ma.masked_array(1, mask=True)"),
    Attack("answers with an observation", "return obs", "BAD_ACTION", "Observation"),
)
