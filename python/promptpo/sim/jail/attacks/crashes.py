"""Attacks by dying, and by failing in ways that are hard to tell."""

from __future__ import annotations

from typing import Final

from promptpo.sim.jail.attacks.attack import Attack
from promptpo.sim.jail.limits import Limits

ATTACKS: Final = (
    Attack("reads at address 0", "ctypes.string_at(0)", "KILLED", "killed by SIGSEGV"),
    Attack(
        "reads the kernel's memory", "ctypes.string_at(0xFFFFFFFF81000000)", "KILLED", "killed by SIGSEGV"
    ),
    Attack("jumps to nowhere", "ctypes.CFUNCTYPE(None)(1)()", "KILLED", "killed by SIGSEGV"),
    Attack("aborts", "os.abort()", "KILLED", "killed by SIGABRT"),
    Attack("kills itself", "os.kill(libc.getpid(), 9)", "KILLED", "killed by SIGKILL"),
    Attack("leaves as if all were well", "os._exit(0)", "KILLED", "ended itself with exit code 0"),
    Attack("leaves with a code", "os._exit(3)", "KILLED", "ended itself with exit code 3"),
    Attack("leaves by the kernel's call", "libc.syscall(231, 4)", "KILLED", "exit code 4"),
    Attack("ends its only thread", "libc.syscall(60, 5)", "KILLED", "exit code 5"),
    Attack("asks to exit", "sys.exit(0)", "EXCEPTION", "SystemExit: 0"),
    Attack("interrupts", "raise KeyboardInterrupt", "EXCEPTION", "KeyboardInterrupt"),
    Attack("ends a generator that is none", "raise GeneratorExit", "EXCEPTION", "GeneratorExit"),
    Attack(
        "raises the root of all exceptions", "raise BaseException('all')", "EXCEPTION", "BaseException: all"
    ),
    Attack("stops an iteration", "raise StopIteration", "EXCEPTION", "StopIteration"),
    Attack(
        "claims a lack of memory",
        "raise MemoryError",
        "MEMORY",
        "more memory than it may have",
    ),
    Attack("recurses", "def deeper(): deeper()\ndeeper()", "EXCEPTION", "RecursionError"),
    Attack(
        "recurses beyond the limit",
        "sys.setrecursionlimit(10**9)\ndef deeper(): return deeper() + 1\ndeeper()",
        "CPU",
        "one action",
        Limits(action_cpu_s=0.2),
    ),
    Attack(
        "recurses in C",
        """
        sys.setrecursionlimit(10**9)
        class Deep:
            def __repr__(self):
                return repr([self])
        repr(Deep())
        """,
        "KILLED",
        "killed by SIGSEGV",
        Limits(action_cpu_s=20),
    ),
    Attack("overwrites a type", "ctypes.memset(id(int), 0, 256)", "KILLED", "killed by SIGSEGV"),
    Attack(
        "raises what refuses to be told",
        """
        class Untellable(Exception):
            def __str__(self): raise SystemExit(7)
            def __repr__(self): os.abort()
            __class__ = property(lambda self: 1 / 0)
            __cause__ = __context__ = __traceback__ = property(lambda self: 1 / 0)
        raise Untellable
        """,
        "EXCEPTION",
        "Untellable",
    ),
    Attack(
        "raises what has no name",
        """
        class Nameless(type):
            def __getattribute__(cls, name): 1 / 0
        class Untellable(Exception, metaclass=Nameless): pass
        raise Untellable
        """,
        "EXCEPTION",
        "Untellable: the exception raised another one",
    ),
    Attack(
        "raises a syntax error at no place",
        "raise SyntaxError('odd', ('policy.py', -1, 1 << 80, 'text'))",
        "EXCEPTION",
        "SyntaxError: odd",
    ),
    Attack(
        "raises a syntax error with parts that are none",
        "raise SyntaxError('odd', ('policy.py', 'one', [], 3))",
        "EXCEPTION",
        "SyntaxError",
    ),
    Attack(
        "fails in a line that cannot be",
        """
        code = compile("1 / 0", "policy.py", "exec").replace(co_firstlineno=2**31 - 1)
        exec(code)
        """,
        "EXCEPTION",
        "ZeroDivisionError",
    ),
    Attack(
        "fails with halves of characters", r"raise RuntimeError('\ud800 \x00 \udfff')", "EXCEPTION", "ud800"
    ),
    Attack(
        "pretends to be refused",
        "raise PermissionError(13, 'Permission denied', '/etc/shadow')",
        "ESCAPE_ATTEMPT",
        "Permission denied: '/etc/shadow'",
    ),
    Attack(
        "takes everything away and fails",
        "import builtins; sys.modules.clear(); builtins.__dict__.clear(); nothing",
        "KILLED",
        "ended itself",
    ),
)
