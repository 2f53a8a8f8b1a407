"""Attacks on the kernel: calls that no policy needs, other doors to it, and undoing the confinement."""

from __future__ import annotations

from typing import Final

from promptpo.sim.jail.attacks.attack import Attack

_CALLS: Final = {
    # All with arguments that do nothing, should one get through.
    "ptrace": 101,
    "process_vm_readv": 310,
    "process_vm_writev": 311,
    "process_madvise": 440,
    "kcmp": 312,
    "pidfd_getfd": 438,
    "unshare": 272,
    "setns": 308,
    "mount": 165,
    "umount2": 166,
    "pivot_root": 155,
    "fsopen": 430,
    "open_tree": 428,
    "move_mount": 429,
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_setup": 206,
    "bpf": 321,
    "perf_event_open": 298,
    "userfaultfd": 323,
    "keyctl": 250,
    "add_key": 248,
    "request_key": 249,
    "memfd_secret": 447,
    "personality": 135,
    "prctl": 157,
    "arch_prctl": 158,
    "modify_ldt": 154,
    "seccomp": 317,
    "landlock_create_ruleset": 444,
    "landlock_restrict_self": 446,
    "capset": 126,
    "setuid": 105,
    "setgroups": 116,
    "setrlimit": 160,
    "sched_setscheduler": 144,
    "sched_setattr": 314,
    "setpriority": 141,
    "ioprio_set": 251,
    "clock_settime": 227,
    "settimeofday": 164,
    "clock_adjtime": 305,
    "timer_create": 222,
    "timerfd_create": 283,
    "signalfd4": 289,
    "inotify_init1": 294,
    "fanotify_init": 300,
    "syslog": 103,
    "init_module": 175,
    "finit_module": 313,
    "kexec_load": 246,
    "iopl": 172,
    "ioperm": 173,
    "swapon": 167,
    "quotactl": 179,
    "acct": 163,
    "splice": 275,
    "vmsplice": 278,
    "tee": 276,
    "sendfile": 40,
    "copy_file_range": 326,
    "rseq": 334,
    "membarrier": 324,
    "mbind": 237,
    "migrate_pages": 256,
    "pkey_mprotect": 329,
    "remap_file_pages": 216,
    "what no kernel knows": 1_000,
}

_TRAPPED: Final = tuple(
    Attack(
        f"calls {name}",
        f"libc.syscall({number}, 0, 0, 0, 0, 0, 0)",
        "ESCAPE_ATTEMPT",
        f"system call {name if number < 1_000 else number}",
    )
    for name, number in _CALLS.items()
)

_MAP: Final = """
        libc.mmap.restype = ctypes.c_void_p
        libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long)
        libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        code = bytes.fromhex("b82a000000c3")  # mov eax, 42; ret
"""

ATTACKS: Final = (
    *_TRAPPED,
    Attack(
        "maps code of its own",
        f"""{_MAP}
        page = libc.mmap(None, 4096, 7, 0x22, -1, 0)
        ctypes.memmove(page, code, len(code))
        won(ctypes.CFUNCTYPE(ctypes.c_int)(page)())
        """,
        "ESCAPE_ATTEMPT",
        "system call mmap",
        works_without_jail=True,
    ),
    Attack(
        "makes its data code",
        f"""{_MAP}
        page = libc.mmap(None, 4096, 3, 0x22, -1, 0)
        ctypes.memmove(page, code, len(code))
        libc.mprotect(page, 4096, 5)
        won(ctypes.CFUNCTYPE(ctypes.c_int)(page)())
        """,
        "ESCAPE_ATTEMPT",
        "system call mprotect",
        works_without_jail=True,
    ),
    Attack(
        "runs its data",
        f"""{_MAP}
        page = libc.mmap(None, 4096, 3, 0x22, -1, 0)
        ctypes.memmove(page, code, len(code))
        ctypes.CFUNCTYPE(ctypes.c_int)(page)()
        """,
        "KILLED",
        "killed by SIGSEGV",
    ),
    Attack(
        "overwrites code",
        "ctypes.memmove(ctypes.cast(libc.printf, ctypes.c_void_p).value, bytes(16), 16)",
        "KILLED",
        "killed by SIGSEGV",
    ),
    Attack(
        "overwrites the code of a callback",
        """
        from promptpo.sim.jail import syscalls
        callback = ctypes.cast(syscalls._kept[0], ctypes.c_void_p).value
        ctypes.memmove(callback, bytes.fromhex("b82a000000c3"), 6)
        won(ctypes.CFUNCTYPE(ctypes.c_int)(callback)())
        """,
        "KILLED",
        "killed by SIGSEGV",
    ),
    Attack(
        # The library writes a callback's code into the page that is sealed.
        "makes a callback",
        "ctypes.CFUNCTYPE(None)(print)",
        "KILLED",
        "killed by SIGSEGV",
    ),
    Attack(
        "calls by the numbers of another ABI",
        "libc.syscall(0x40000000 + 41, 2, 1, 0)",
        "ESCAPE_ATTEMPT",
        "system call",
    ),
    Attack(
        "enters the kernel by its old gate",
        """
        # int 0x80 stands nowhere on purpose, but an interpreter is large enough to hold the bytes by chance.
        known = ("Py_Main", "PyObject_Repr", "PyList_New", "PyEval_EvalCode", "PyUnicode_New", "PyErr_Print",
                 "PyImport_ImportModule", "PyLong_FromLong", "PyMarshal_ReadObjectFromString")
        places = [ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value for name in known]
        code = ctypes.string_at(min(places), max(places) - min(places))
        ctypes.CFUNCTYPE(None)(min(places) + code.index(bytes.fromhex("cd80")))()
        """,
        "ESCAPE_ATTEMPT",
        "a system call that the jail forbids",
    ),
    Attack(
        "handles the signal that tells on it",
        "import signal; signal.signal(signal.SIGSYS, signal.SIG_IGN)",
        "ESCAPE_ATTEMPT",
        "a system call that the jail forbids",
    ),
    Attack(
        "blocks the signal that tells on it",
        "import signal; signal.pthread_sigmask(0, {signal.SIGSYS}); libc.syscall(101)",
        "ESCAPE_ATTEMPT",
        "a system call that the jail forbids",
    ),
    Attack(
        "has faulthandler take the signal that tells on it",
        "import faulthandler, signal; faulthandler.register(signal.SIGSYS, sys.__stderr__)",
        "ESCAPE_ATTEMPT",
        "a system call that the jail forbids",
    ),
    Attack(
        "silences what tells on it",
        """
        from promptpo.sim.jail import child
        child.TRAP.speaker = None
        # The call looks as if it had given its own number.
        for family in (1, 2, 10, 16):
            if libc.syscall(5, libc.socket(family, 1, 0), bytes(144)) == 0:
                won(family)
        if libc.syscall(57) != 57:
            won("fork")
        """,
    ),
    Attack(
        "shows the kernel the kernel's addresses",
        """
        for call, fd in ((libc.write, 4), (libc.write, 1), (libc.read, 0)):
            call.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t)
            if call(fd, 0xFFFFFFFF81000000, 8) > 0 and fd == 4:
                won("it was read")
        """,
    ),
    Attack(
        "maps address 0",
        """
        libc.mmap.restype = ctypes.c_long
        libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long)
        private_anonymous_fixed = 0x32
        if libc.mmap(None, 4096, 3, private_anonymous_fixed, -1, 0) == 0:
            won("it is there")
        """,
    ),
    Attack(
        "poisons the machine's memory",
        "libc.madvise(None, 0, 100)",
        "ESCAPE_ATTEMPT",
        "system call madvise",
    ),
    Attack(
        "asks for pages to be merged",
        "libc.madvise(None, 0, 12)",
        "ESCAPE_ATTEMPT",
        "system call madvise",
    ),
    Attack(
        "raises its limits",
        """
        import resource
        for which in (resource.RLIMIT_AS, resource.RLIMIT_NPROC, resource.RLIMIT_NOFILE):
            try:
                resource.setrlimit(which, (1 << 40, 1 << 40))
            except ValueError:
                continue
            won(which)
        """,
    ),
    Attack(
        "takes another core",
        "os.sched_setaffinity(0, {0})",
        "ESCAPE_ATTEMPT",
        "Operation not permitted",
    ),
)
