"""Attacks on files, environment variables, and what /proc says of others."""

from __future__ import annotations

from typing import Final

from promptpo.sim.jail.attacks.attack import Attack

ATTACKS: Final = (
    Attack(
        "reads a file",
        "won(open(SECRET_FILE).read())",
        "ESCAPE_ATTEMPT",
        "Permission denied",
        works_without_jail=True,
    ),
    Attack(
        "reads a file by the kernel's call",
        """
        fd = libc.syscall(257, -100, SECRET_FILE.encode(), 0)
        if fd >= 0:
            won(os.read(fd, 100))
        """,
        works_without_jail=True,
    ),
    Attack(
        "reads a file through numpy",
        "won(np.fromfile(SECRET_FILE, np.uint8).tobytes())",
        "ESCAPE_ATTEMPT",
        "Permission denied",
        works_without_jail=True,
    ),
    Attack(
        "opens a file by a handle",
        "libc.syscall(304, -100, bytes(64), 0)",
        "ESCAPE_ATTEMPT",
        "system call open_by_handle_at",
    ),
    Attack(
        "reads a file in every other way",
        """
        import io, linecache, mmap, pathlib, tokenize
        refused(io.FileIO, SECRET_FILE)
        refused(pathlib.Path(SECRET_FILE).read_bytes)
        refused(tokenize.open, SECRET_FILE)
        refused(np.load, SECRET_FILE, allow_pickle=True)
        refused(np.memmap, SECRET_FILE)
        refused(np.loadtxt, SECRET_FILE, dtype=str)
        refused(os.open, SECRET_FILE, os.O_PATH)
        refused(os.readlink, "/proc/self/exe")
        for path in (SECRET_FILE, "/etc/passwd", "/etc/hostname"):
            if linecache.getlines(path):
                won(path)
        """,
        works_without_jail=True,
    ),
    Attack(
        "looks at what files there are",
        """
        for look in (os.listdir, os.scandir, os.stat, os.lstat, os.statvfs, os.chdir):
            refused(look, FOLDER)
        refused(os.getcwd)
        if os.path.exists(SECRET_FILE) or os.access(SECRET_FILE, os.R_OK) or os.path.isdir("/"):
            won("a path")
        """,
        works_without_jail=True,
    ),
    Attack(
        "writes into a file",
        "won(open(SECRET_FILE, 'r+').write('changed'))",
        "ESCAPE_ATTEMPT",
        "Permission denied",
        works_without_jail=True,
    ),
    Attack(
        "changes a folder in every way",
        """
        other = SECRET_FILE + ".2"
        refused(open, other, "w")
        refused(os.rename, SECRET_FILE, other)
        refused(os.link, SECRET_FILE, other)
        refused(os.symlink, SECRET_FILE, other)
        refused(os.mkdir, other)
        refused(os.truncate, SECRET_FILE, 0)
        refused(os.chmod, SECRET_FILE, 0o777)
        refused(os.unlink, SECRET_FILE)
        """,
        works_without_jail=True,
    ),
    Attack("owns a file", "os.chown(SECRET_FILE, 0, 0)", "ESCAPE_ATTEMPT", "system call chown"),
    Attack("makes a device", "os.mknod(FOLDER + '/x')", "ESCAPE_ATTEMPT", "system call mknod"),
    Attack("takes another root", "os.chroot(FOLDER)", "ESCAPE_ATTEMPT", "system call chroot"),
    Attack(
        "leaves a file in shared memory",
        "won(open(SHARED_FILE, 'w').write('for the next episode'))",
        "ESCAPE_ATTEMPT",
        "Permission denied",
        works_without_jail=True,
    ),
    Attack(
        "makes a file without a name",
        "won(os.memfd_create('x'))",
        "ESCAPE_ATTEMPT",
        "system call memfd_create",
        works_without_jail=True,
    ),
    Attack(
        "attaches System V shared memory",
        """
        identifier = libc.shmget(0, 4096, 0o1600)
        libc.shmctl(identifier, 0, None)
        won(identifier)
        """,
        "ESCAPE_ATTEMPT",
        "system call shmget",
        works_without_jail=True,
    ),
    Attack(
        "opens a message queue",
        "libc.syscall(240, b'x', 0, 0, 0)",
        "ESCAPE_ATTEMPT",
        "system call mq_open",
    ),
    Attack(
        "reads environment variables",
        """
        libc.getenv.restype = ctypes.c_char_p
        if os.environ.get(VARIABLE) or os.environb.get(VARIABLE.encode()) or libc.getenv(VARIABLE.encode()):
            won(VARIABLE)
        names = ctypes.POINTER(ctypes.c_char_p).in_dll(libc, "environ")
        found = []
        while names[len(found)]:
            found.append(names[len(found)])
        if any(name.startswith((b"OPENAI", b"DATABASE", b"AWS", b"HOME=")) for name in found):
            won(found)
        """,
        works_without_jail=True,
    ),
    Attack(
        "finds the worker's environment in its own memory",
        """
        # The kernel puts a process's first environment above its stack, and a fork inherits it.
        names = ctypes.POINTER(ctypes.c_char_p).in_dll(libc, "environ")
        found = ctypes.string_at(names[0], 2000)
        if VARIABLE.encode() + b"=" in found:
            won(VARIABLE)
        """,
    ),
    Attack(
        "reads /proc of others and of itself",
        """
        for pid in ("self", "1", str(WORKER_PID), str(VICTIM_PID)):
            for name in ("environ", "maps", "mem", "cmdline", "status", "fd", "root", "cwd", "task"):
                refused(os.open, f"/proc/{pid}/{name}", os.O_RDONLY)
        for name in ("kallsyms", "meminfo", "kcore", "net/tcp", "sys/kernel/random/uuid"):
            refused(os.open, "/proc/" + name, os.O_RDONLY)
        """,
        works_without_jail=True,
    ),
    Attack(
        "scans for inherited descriptors",
        """
        found, status = [], (ctypes.c_uint32 * 64)()
        for fd in range(4096):
            if libc.syscall(5, fd, status) == 0:
                found.append((fd, status[6] & 0o170000))
        # /dev/null three times, and the ends of two pipes.
        if found != [(0, 0o20000), (1, 0o20000), (2, 0o20000), (3, 0o10000), (4, 0o10000)]:
            won(found)
        if os.read(0, 100):
            won("there is an input")
        """,
        works_without_jail=True,
    ),
    Attack(
        "imports the simulators",
        """
        import importlib
        for name in (
            "gymnasium", "mujoco", "metaworld", "grpc", "promptpo.sim.environments.registry",
            "promptpo.sim.worker.episode", "promptpo.sim.jail.policy_process", "promptpo.sim.jail.attacks",
        ):
            refused(importlib.import_module, name)
        """,
        works_without_jail=True,
    ),
    Attack(
        "imports from a folder of its choice",
        """
        import importlib.machinery, importlib.util
        sys.path.insert(0, os.path.dirname(FOLDER))
        sys.meta_path.append(importlib.machinery.PathFinder)
        sys.path_hooks.append(importlib.machinery.FileFinder.path_hook(
            (importlib.machinery.SourceFileLoader, [".py"])))
        spec = importlib.util.spec_from_file_location("stolen", SECRET_FILE,
            loader=importlib.machinery.SourceFileLoader("stolen", SECRET_FILE))
        won(spec.loader.get_data(SECRET_FILE))
        """,
        "ESCAPE_ATTEMPT",
        "Permission denied",
        works_without_jail=True,
    ),
    Attack(
        "loads a library",
        "ctypes.CDLL('libutil.so.1')",
        "EXCEPTION",
        "libutil.so.1",
    ),
)
