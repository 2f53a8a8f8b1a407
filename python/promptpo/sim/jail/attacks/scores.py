"""Attacks on the score: through frames and the collector, patched classes, memory, earlier episodes."""

from __future__ import annotations

from typing import Final

from promptpo.sim.jail.attacks.attack import ANY_STEP, Attack

_MARKED: Final = """
        def mappings():
            import gc, mmap
            gc.unfreeze()
            found = [found for found in gc.get_objects() if type(found) is mmap.mmap and not found.closed]
            return [memoryview(one) for one in found if not memoryview(one).readonly]

        if {has}:
            won("an earlier episode was here")
        {mark}
"""


def _leaves(name: str, has: str, mark: str) -> Attack:
    return Attack(name, _MARKED.format(has=has, mark=mark), twice=True)


ATTACKS: Final = (
    Attack(
        "walks the frames for the simulator",
        """
        frame = sys._getframe()
        while frame is not None:
            for name, value in {**frame.f_globals, **frame.f_locals}.items():
                if "reward" in name.lower() or "environment" in type(value).__name__.lower():
                    won(name)
            frame = frame.f_back
        """,
    ),
    Attack(
        "asks the collector for the simulator",
        """
        import gc
        gc.unfreeze()
        for value in gc.get_objects():
            kind = type(value)
            if kind.__name__ in ("NoiseWorld", "Runner", "Outcome", "Progress", "ActionJudge"):
                won(kind)
            if str(kind.__module__).partition(".")[0] in ("gymnasium", "mujoco", "grpc", "metaworld"):
                won(kind)
        """,
    ),
    Attack(
        "looks for modules that it must not know",
        """
        for name in sys.modules:
            if name.startswith(("gymnasium", "mujoco", "metaworld", "grpc", "promptpo.sim.worker",
                                "promptpo.sim.environments", "promptpo.sim.server")):
                won(name)
        """,
    ),
    Attack(
        "patches what carries its answers",
        """
        from promptpo.sim.jail import child, frames
        frames.pack_status = frames.pack_failure = lambda *_: b"1000.0"
        child._answer = child.run = child.construct = child.METHODS = frames.FrameError = None
        """,
    ),
    Attack(
        "patches what reads and writes",
        """
        import struct
        struct.pack = struct.unpack = struct.Struct = lambda *_: b"1000.0"
        np.frombuffer = np.asarray = np.ndarray = None
        for name in ("read", "write", "fstat"):
            setattr(os, name, None)
        """,
    ),
    Attack(
        "patches the classes of everything",
        """
        import builtins
        builtins.int = builtins.len = builtins.type = builtins.bytes = None
        """,
        "KILLED",
        "ended itself with exit code 1",
        ends_at=ANY_STEP,
    ),
    Attack(
        "writes into the observation",
        """
        before = obs.board.copy()
        for write in (lambda: obs.board.__setitem__(0, 9), lambda: setattr(obs, "agent_row", 1.0),
                      lambda: obs.board.setflags(write=True), lambda: delattr(obs, "agent_row")):
            try:
                write()
            except (ValueError, AttributeError):
                continue
            won("it was written")
        # Behind numpy's back it is the policy's own copy that changes.
        ctypes.memset(obs.board.ctypes.data, 255, obs.board.nbytes)
        object.__setattr__(policy, "goal", before)
        """,
    ),
    Attack(
        "puts itself on the goal",
        """
        kind = type(obs)
        for name in ("agent_row", "agent_col"):
            setattr(kind, name, property(lambda self: 1.0))
        kind.reward = kind.success = kind.terminated = 1000.0
        """,
    ),
    Attack(
        "searches all its memory for a secret",
        """
        # Numbers of the episode that only the simulator has: n**3, and the key of another stream.
        import gc
        for value in gc.get_objects():
            if isinstance(value, dict) and ("total_reward" in value or "rewards" in value):
                won(value)
        """,
    ),
    _leaves("leaves a global", "hasattr(np, 'mark')", "np.mark = True"),
    _leaves("leaves a builtin", "'mark' in __builtins__", "__builtins__['mark'] = 1"),
    _leaves("leaves a variable", "os.environ.get('MARK')", "os.environ['MARK'] = '1'"),
    _leaves("leaves a module", "'mark' in sys.modules", "sys.modules['mark'] = sys"),
    _leaves(
        "leaves a mark in a constant",
        "ctypes.c_char.from_address(id(RuntimeWarning.__doc__) + 60).value == b'?'",
        "ctypes.memset(id(RuntimeWarning.__doc__) + 60, ord('?'), 1)",
    ),
    _leaves(
        "leaves a mark in randomness",
        "np.random.get_state()[2] == 77",
        "np.random.set_state(('MT19937', np.zeros(624, 'u4'), 77))",
    ),
    _leaves(
        "leaves a mark in what it shares with the next process",
        "any(shared[0] == 77 for shared in mappings())",
        "for shared in mappings(): shared[0] = 77",
    ),
    Attack(
        "times the trusted side",
        """
        import time
        real = ctypes.c_long * 2
        moment = real()
        libc.clock_gettime(1, moment)
        for _ in range(1000):
            libc.clock_gettime(1, moment)
            time.time(), time.perf_counter(), time.monotonic_ns()
        """,
    ),
)
