"""Attacks by sheer amount: memory, output, descriptors, messages, answers."""

from __future__ import annotations

from typing import Final

from promptpo.sim.jail.attacks.attack import QUICK, Attack
from promptpo.sim.jail.limits import Limits

_SMALL: Final = Limits(memory_bytes=1 << 27)


def _memory(name: str, code: str) -> Attack:
    return Attack(name, code, "MEMORY", "more memory than it may have", _SMALL)


ATTACKS: Final = (
    Attack(
        "fills memory by numpy",
        "kept = [np.ones(1 << 22) for _ in range(10_000)]",
        "MEMORY",
        "Unable to allocate",
        _SMALL,
    ),
    _memory("fills memory by lists", "kept = []\nwhile True: kept.append([0] * 1_000_000)"),
    _memory("asks for more than there is", "bytearray(1 << 46)"),
    _memory("doubles a string", "text = 'x'\nwhile True: text += text"),
    _memory("makes a huge number", "1 << (1 << 40)"),
    Attack(
        "maps memory until nobody has any",
        """
        import mmap
        kept = []
        while True:
            kept.append(mmap.mmap(-1, 1 << 24, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
            kept[-1][0] = 1
        """,
        "MEMORY",
        "Cannot allocate memory",
        _SMALL,
    ),
    Attack(
        "reserves memory without using it",
        """
        libc.mmap.restype = ctypes.c_long
        libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long)
        private_anonymous_unreserved = 0x4022
        if libc.mmap(None, 1 << 40, 3, private_anonymous_unreserved, -1, 0) != -1:
            won("a terabyte")
        """,
    ),
    Attack(
        "locks memory",
        "libc.mlockall(3)",
        "ESCAPE_ATTEMPT",
        "system call mlockall",
    ),
    Attack(
        "maps locked memory",
        """
        libc.mmap.restype = ctypes.c_long
        libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long)
        private_anonymous_locked = 0x2022
        if libc.mmap(None, 4096, 3, private_anonymous_locked, -1, 0) != -1:
            won("locked memory")
        """,
        works_without_jail=True,
    ),
    Attack(
        "unpacks a small archive into a large one",
        """
        import zlib
        packer = zlib.compressobj(1)
        packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(160)) + packer.flush()
        zlib.decompress(packed)
        """,
        "MEMORY",
        limits=_SMALL,
    ),
    Attack(
        "prints without end",
        """
        text = "x" * (1 << 20)
        for _ in range(200):
            print(text)
            sys.stderr.write(text)
        """,
    ),
    Attack(
        "writes to the disk through what is open",
        """
        for fd in (0, 1, 2):
            for _ in range(200):
                os.write(fd, bytes(1 << 20))
            refused(os.ftruncate, fd, 1 << 30)
        """,
    ),
    Attack(
        "multiplies descriptors",
        """
        import fcntl, select
        refused(os.dup, 4)
        refused(os.dup2, 4, 5)
        refused(os.pipe)
        refused(fcntl.fcntl, 4, fcntl.F_DUPFD, 10)
        refused(select.epoll)
        """,
        works_without_jail=True,
    ),
    Attack(
        "grows its pipe",
        "import fcntl; fcntl.fcntl(4, 1031, 1 << 20)",
        "ESCAPE_ATTEMPT",
        "Operation not permitted",
    ),
    Attack(
        "floods the worker with zeros", "while True: os.write(4, bytes(4096))", "ESCAPE_ATTEMPT", "forged"
    ),
    Attack("fails with a long message", "raise RuntimeError('x' * 10_000_000)", "EXCEPTION", "[... cut ...]"),
    Attack(
        "fails with a long chain",
        """
        error = None
        for number in range(2_000):
            try:
                raise RuntimeError(number) from error
            except RuntimeError as raised:
                error = raised
        raise error
        """,
        "EXCEPTION",
        "RuntimeError: 1999",
    ),
    Attack(
        "fails with a large group",
        "raise ExceptionGroup('many', [ValueError(number) for number in range(2_000)])",
        "EXCEPTION",
        "many (2000 sub-exceptions)",
    ),
    Attack(
        "fails below a long name",
        "raise type('E' * 1_000_000, (Exception,), {})",
        "EXCEPTION",
        "[... cut ...]",
    ),
    Attack("answers with a million numbers", "return np.zeros(10**6)", "BAD_ACTION", "shape (1000000,)"),
    Attack(
        "answers with more numbers than memory has",
        "return np.lib.stride_tricks.as_strided(np.zeros(1), (1 << 40,), (0,))",
        "BAD_ACTION",
        limits=QUICK,
    ),
    Attack(
        "answers with a nested list",
        """
        nested = [0]
        for _ in range(100_000):
            nested = [nested]
        return nested
        """,
        "BAD_ACTION",
    ),
    Attack("writes into a full pipe", "while True: os.write(4, b'')", "CPU", "one action", QUICK),
    Attack(
        "arms timers",
        "import signal; signal.setitimer(signal.ITIMER_REAL, 1e-6, 1e-6)",
        "ESCAPE_ATTEMPT",
        "Operation not permitted",
    ),
)
