"""Attacks by sockets of every kind, and names to resolve."""

from __future__ import annotations

from typing import Final

from promptpo.sim.jail.attacks.attack import Attack


def _socket(name: str, code: str, *, works_without_jail: bool = False) -> Attack:
    return Attack(name, code, "ESCAPE_ATTEMPT", "system call socket", works_without_jail=works_without_jail)


ATTACKS: Final = (
    _socket(
        "connects by TCP",
        "import socket; won(socket.create_connection(('127.0.0.1', TCP_PORT)))",
        works_without_jail=True,
    ),
    _socket(
        "sends a datagram",
        """
        import socket
        won(socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", UDP_PORT)))
        """,
        works_without_jail=True,
    ),
    _socket(
        "connects to a unix socket without a path",
        "import socket; s = socket.socket(socket.AF_UNIX); s.connect(UNIX_NAME); won(s)",
        works_without_jail=True,
    ),
    _socket("makes a raw socket", "import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)"),
    _socket("makes an IPv6 socket", "import socket; socket.socket(socket.AF_INET6)"),
    _socket("makes a packet socket", "libc.socket(17, 3, 0x300)"),
    _socket("asks the kernel by netlink", "libc.socket(16, 3, 0)"),
    _socket("calls the hypervisor", "libc.socket(40, 1, 0)"),
    _socket("asks the kernel's cipher service", "libc.socket(38, 5, 0)"),
    _socket("resolves a name", "import socket; won(socket.getaddrinfo('example.org', 80))"),
    _socket("resolves a name in C", "libc.gethostbyname(b'example.org')"),
    _socket("asks a resolver itself", "import socket; socket.socket(2, 2).sendto(b'', ('127.0.0.53', 53))"),
    _socket("logs to the system", "libc.syslog(6, b'hello')"),
    _socket(
        "opens an address",
        "import urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{TCP_PORT}/')",
    ),
    Attack(
        "opens an address by asyncio",
        "import asyncio; asyncio.run(asyncio.open_connection('127.0.0.1', TCP_PORT))",
        "ESCAPE_ATTEMPT",
        "Operation not permitted",
    ),
    _socket("serves", "import socket; socket.create_server(('127.0.0.1', 0))"),
    Attack("makes a pair", "import socket; socket.socketpair()", "ESCAPE_ATTEMPT", "system call socketpair"),
    Attack(
        "takes its pipe for a socket",
        "libc.sendto(4, b'x', 1, 0, None, 0)",
        "ESCAPE_ATTEMPT",
        "system call sendto",
    ),
    Attack("receives a descriptor", "libc.recvmsg(3, bytes(64), 0)", "ESCAPE_ATTEMPT", "system call recvmsg"),
    Attack("connects what it has", "libc.connect(4, bytes(16), 16)", "ESCAPE_ATTEMPT", "system call connect"),
    Attack("listens on what it has", "libc.bind(3, bytes(16), 16)", "ESCAPE_ATTEMPT", "system call bind"),
)
