"""The door of a shard: connections to its unix socket, and who of them may speak to it.

Owns the first message of a stream and the token. A newer stream takes the shard over from an older one, which
is told so. The thread that steps takes connections from here one after another.
"""

from __future__ import annotations

import hmac
import queue
import socket
import threading
from itertools import count
from typing import Final

from google.protobuf.message import DecodeError

from promptpo.client.eager import EagerWait
from promptpo.sim.errors import SimError, invalid
from promptpo.sim.sessions.frames import FrameReader, framed
from promptpo.sim.sessions.status import error_answer
from promptpo.sim.v1 import sim_pb2

_FIRST_MESSAGE_S: Final = 10.0
"""Whoever connects says at once who it is."""
_ANSWER_UNDER_WAY_S: Final = 1.0
_EAGER_S: Final = 150e-6
"""A client that only chooses the next actions takes less; one that learns meanwhile takes much longer."""
_STRANGERS: Final = 32
"""Connections that have not said yet who they are; more wait at the socket."""


class Connection:
    """A client's stream. Read by one thread; may be ended by any."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._reader = FrameReader(end)
        self._sending = threading.Lock()
        self.number = -1
        self.last_step = -1
        """As the client says when it opens."""

    def begin(self) -> None:
        """The client was let in: from now on it is waited for eagerly."""
        self._reader.eager = EagerWait(self._socket.fileno(), _EAGER_S)

    def read(self) -> bytes | None:
        """The next message; None when the client is gone. Raises SimError for one that is too large."""
        return self._reader.read()

    def send(self, answer: bytes) -> None:
        """Raises OSError when the client is gone."""
        with self._sending:
            self._socket.sendall(framed(answer))

    def refuse(self, error: SimError) -> None:
        """Ends the stream with the reason, unless an answer is on its way that nobody reads."""
        if self._sending.acquire(timeout=_ANSWER_UNDER_WAY_S):
            try:
                self._socket.send(framed(error_answer(error)), socket.MSG_DONTWAIT)
            except OSError:
                pass
            finally:
                self._sending.release()
        self.hang_up()

    def hang_up(self) -> None:
        """Wakes whoever reads or sends; may be called twice. What was sent still arrives."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def close(self) -> None:
        """By the thread that reads, when it reads no more."""
        self._socket.close()

    def first_message(self) -> bytes | None:
        """The message that says who this is; None if it does not come in time."""
        self._socket.settimeout(_FIRST_MESSAGE_S)
        message = self._reader.read()
        self._socket.settimeout(None)
        return message


class Door:
    """Lets in whoever has the token."""

    def __init__(self, listener: socket.socket, session_id: str, token: str) -> None:
        self._listener = listener
        self._session_id = session_id
        self._token = token.encode()
        self._numbers = count()
        self._state = threading.Lock()
        self._let_in: queue.SimpleQueue[Connection] = queue.SimpleQueue()
        self._current: Connection | None = None
        self._strangers = threading.Semaphore(_STRANGERS)
        self._closing: SimError | None = None

    def open(self) -> None:
        """Begins to let in."""
        threading.Thread(target=self._accept, name="door", daemon=True).start()

    def next(self) -> Connection:
        """Waits for a stream; the caller gives it back to `left`."""
        while True:
            connection = self._let_in.get()
            with self._state:
                self._current = connection
                closing, newer = self._closing, not self._let_in.empty()
            if closing is not None or newer:
                connection.refuse(_taken_over() if closing is None else closing)
                self.left(connection)
                continue
            connection.begin()
            return connection

    def left(self, connection: Connection) -> None:
        """The stream is over."""
        with self._state:
            if self._current is connection:
                self._current = None
        connection.close()

    @property
    def attached(self) -> bool:
        """A client holds a stream."""
        return self._current is not None

    def close(self, why: SimError) -> None:
        """Tells the client that holds the stream, and whoever comes later."""
        with self._state:
            self._closing = why
            current = self._current
        if current is not None:
            current.refuse(why)

    def _accept(self) -> None:
        while True:
            self._strangers.acquire()
            try:
                end, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._ask, args=(Connection(end),), name="stranger", daemon=True).start()

    def _ask(self, connection: Connection) -> None:
        try:
            message = connection.first_message()
            if message is None:
                connection.hang_up()
                connection.close()
                return
            self._check(connection, message)
        except SimError as error:
            connection.refuse(error)
            connection.close()
            return
        finally:
            self._strangers.release()
        with self._state:
            connection.number = next(self._numbers)
            self._let_in.put(connection)
            current = self._current
            older = current is not None and -1 < current.number < connection.number
        if older and current is not None:
            current.refuse(_taken_over())

    def _check(self, connection: Connection, message: bytes) -> None:
        opening = opening_of(message)
        if opening.session_id != self._session_id:
            raise SimError("UNKNOWN_SESSION", f"this is not the socket of session {opening.session_id!r}")
        if not hmac.compare_digest(opening.token.encode(), self._token):
            raise SimError("UNAUTHENTICATED", "the token is not the session's; CreateEnvSession gives it")
        connection.last_step = opening.last_step


def opening_of(message: bytes) -> sim_pb2.OpenShard:
    """The first message of a stream. Raises SimError for any other."""
    try:
        request = sim_pb2.StepRequest.FromString(message)
    except DecodeError as error:
        raise SimError("MALFORMED_MESSAGE", "the first message is no StepRequest") from error
    if request.WhichOneof("kind") != "open":
        raise invalid("open", "the first message of a stream opens the shard")
    return request.open


def _taken_over() -> SimError:
    return SimError("CONFLICT", "another stream opened this shard and took it over")
