"""Attacks by hooks of the interpreter: tracing, finalizers, handlers, memory of objects, async code."""

from __future__ import annotations

from typing import Final

from promptpo.sim.jail.attacks.attack import QUICK, Attack

ATTACKS: Final = (
    Attack(
        "traces the loop that calls it",
        """
        seen = []
        def trace(frame, event, argument):
            seen.append(frame.f_code.co_name)
            if "reward" in frame.f_locals:
                won(frame)
            return trace
        sys.settrace(trace)
        sys._getframe(2).f_trace = trace
        """,
    ),
    Attack("profiles the loop that calls it", "sys.setprofile(lambda *_: None)"),
    Attack(
        "traces itself without end",
        "def trace(*_):\n    while True: pass\nsys.settrace(trace)",
        "CPU",
        "one action",
        QUICK,
    ),
    Attack("audits", "sys.addaudithook(lambda *_: None)"),
    Attack(
        "acts at its end",
        """
        import atexit, weakref
        def late():
            os.write(4, bytes(48))
            open(SHARED_FILE, "w")
        atexit.register(late)
        policy.late = weakref.finalize(policy, late)
        type(policy).__del__ = lambda self: late()
        """,
    ),
    Attack(
        "takes the exits",
        """
        import threading
        sys.excepthook = sys.unraisablehook = threading.excepthook = sys.exit = None
        os._exit = os.abort = None
        """,
    ),
    Attack(
        "takes the exits and fails",
        "os._exit = lambda code: None\n1 / 0",
        "EXCEPTION",
        "ZeroDivisionError",
    ),
    Attack(
        "has faulthandler dump everything",
        "import faulthandler as f; f.enable(sys.__stderr__); f.dump_traceback(sys.__stderr__)",
    ),
    Attack(
        "has faulthandler watch",
        "import faulthandler; faulthandler.dump_traceback_later(1, file=sys.__stderr__)",
        "EXCEPTION",
        "unable to start watchdog thread",
    ),
    Attack(
        "raises in the thread that called it",
        """
        import threading
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(threading.get_ident()), ctypes.py_object(KeyboardInterrupt))
        """,
        "EXCEPTION",
        "KeyboardInterrupt",
    ),
    Attack(
        "handles every signal that can be handled",
        """
        import signal
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGSYS}:
            signal.signal(number, lambda *_: 1 / 0)
        """,
    ),
    Attack("interrupts itself", "import signal; signal.raise_signal(2); signal.raise_signal(17)"),
    Attack("answers later", "async def later(): return 3\nreturn later()", "BAD_ACTION", "coroutine"),
    Attack("answers bit by bit", "yield 3", "BAD_ACTION", "generator"),
    Attack(
        "answers bit by bit later",
        "async def later(): yield 3\nreturn later()",
        "BAD_ACTION",
        "async_generator",
    ),
    Attack("closes its output", "sys.stdout.close(); sys.stderr.close(); sys.__stdout__ = None"),
    Attack(
        "turns numpy's warnings into errors",
        "np.seterr(all='raise'); import warnings; warnings.simplefilter('error')",
    ),
    Attack(
        "empties the modules",
        "import gc; sys.modules.clear(); gc.disable(); sys.path_hooks = sys.meta_path = None",
    ),
    Attack(
        "switches and switches",
        "sys.setswitchinterval(1e-9); sys.setrecursionlimit(10**6); sys.set_int_max_str_digits(0)",
    ),
)
