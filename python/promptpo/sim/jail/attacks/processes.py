"""Attacks by new processes and threads, and by signals to others."""

from __future__ import annotations

from typing import Final

from promptpo.sim.jail.attacks.attack import Attack


def _call(name: str, code: str, call: str, *, works_without_jail: bool = False) -> Attack:
    return Attack(name, code, "ESCAPE_ATTEMPT", f"system call {call}", works_without_jail=works_without_jail)


_FORKED = """
    pid = {how}
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    won(pid)
"""

ATTACKS: Final = (
    _call("forks", _FORKED.format(how="os.fork()"), "clone", works_without_jail=True),
    _call("forks in the old way", _FORKED.format(how="libc.syscall(57)"), "fork", works_without_jail=True),
    _call("forks and borrows the memory", "libc.syscall(58)", "vfork"),
    _call("forks and forks", "while True: os.fork()", "clone"),
    _call(
        "becomes another program",
        "os.execv('/bin/sh', ['sh', '-c', 'echo the attack succeeded'])",
        "execve",
        works_without_jail=True,
    ),
    _call("becomes a program by descriptor", "libc.syscall(322, 3, b'', None, None, 0x1000)", "execveat"),
    # The C library blocks all signals around these two, so the call cannot tell its name.
    Attack("asks a shell", "os.system('true')", "ESCAPE_ATTEMPT", "a system call that the jail forbids"),
    Attack(
        "spawns",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "ESCAPE_ATTEMPT",
        "a system call that the jail forbids",
    ),
    Attack(
        "runs a command",
        "import subprocess; won(subprocess.run(['true']))",
        "ESCAPE_ATTEMPT",
        "Operation not permitted",
        works_without_jail=True,
    ),
    Attack(
        "starts a thread",
        "import threading; threading.Thread(target=print).start(); won('a thread')",
        "EXCEPTION",
        "can't start new thread",
        works_without_jail=True,
    ),
    Attack(
        "starts a pool",
        "import concurrent.futures as f; f.ThreadPoolExecutor().submit(print)",
        "EXCEPTION",
        "can't start new thread",
    ),
    Attack(
        "starts threads behind Python's back",
        """
        # The flags of a thread, with clone and with clone3.
        flags = 0x3D0F00
        stack = ctypes.create_string_buffer(1 << 16)
        if libc.syscall(56, flags, ctypes.addressof(stack) + (1 << 15), 0, 0, 0) >= 0:
            won("clone")
        arguments = (ctypes.c_uint64 * 11)(flags)
        if libc.syscall(435, arguments, 88) >= 0:
            won("clone3")
        """,
    ),
    Attack(
        "starts processes by multiprocessing",
        "import multiprocessing; multiprocessing.get_context('spawn').Process(target=print).start()",
        "EXCEPTION",
        "No module named '_multiprocessing'",
    ),
    _call("signals another process", "os.kill(VICTIM_PID, 10); won('10')", "kill", works_without_jail=True),
    _call("asks whether another process is there", "os.kill(VICTIM_PID, 0)", "kill"),
    _call("signals the worker", "os.kill(WORKER_PID, 18)", "kill"),
    _call("signals its parent", "os.kill(libc.getppid(), 0)", "kill"),
    _call("signals everybody", "libc.kill(-1, 0)", "kill"),
    _call("signals its group", "os.killpg(0, 0)", "kill"),
    _call("signals a thread of another process", "libc.syscall(234, VICTIM_PID, VICTIM_PID, 10)", "tgkill"),
    _call("signals a thread by its number", "libc.syscall(200, VICTIM_PID, 10)", "tkill"),
    _call("queues a signal", "libc.sigqueue(VICTIM_PID, 10, None)", "rt_sigqueueinfo"),
    _call("signals by descriptor", "os.pidfd_open(VICTIM_PID)", "pidfd_open"),
    _call("sends a signal by descriptor", "libc.syscall(424, 3, 10, None, 0)", "pidfd_send_signal"),
    Attack(
        "has the kernel signal another process",
        """
        import fcntl
        own, asynchronous = 8, 0o20000
        refused(fcntl.fcntl, 3, own, VICTIM_PID)
        refused(fcntl.fcntl, 3, fcntl.F_SETFL, asynchronous)
        refused(fcntl.ioctl, 3, 0x8901, VICTIM_PID.to_bytes(4, "little"))
        """,
    ),
    _call("joins another group", "os.setpgid(0, 0)", "setpgid"),
    _call("begins another session", "os.setsid()", "setsid"),
    Attack("waits for others", "os.waitpid(-1, os.WNOHANG)", "ESCAPE_ATTEMPT", "Operation not permitted"),
)
