"""A shard's process: makes the environments, serves one stream after another, ends with its lease.

One thread steps. Others let clients in, hear the server and watch the lease; they sleep while it steps. The
process ends by itself when the lease lapses, when the server says so, and when the server is gone.
"""

from __future__ import annotations

import gc
import os
import socket
import threading
from typing import NoReturn, cast

from promptpo.sim.environments.gym_env import BadOption, make_gym
from promptpo.sim.errors import SimError, invalid
from promptpo.sim.logs import log
from promptpo.sim.lookup_errors import LOOKUP_FAILURES, lookup_error
from promptpo.sim.sessions.control import Control, Word, seconds, seconds_of
from promptpo.sim.sessions.conversation import Conversation
from promptpo.sim.sessions.door import Connection, Door
from promptpo.sim.sessions.lease import HUNG_STATUS, Lease
from promptpo.sim.sessions.making import opened_message, options_of
from promptpo.sim.sessions.settings import MODES, duration, lease_s
from promptpo.sim.sessions.stepping import Mode, Stepping
from promptpo.sim.v1 import sim_pb2


class Shard:
    """All that the process does."""

    def __init__(self, control: Control, listener: socket.socket, lives: int) -> None:
        self._control = control
        self._listener = listener
        self._lives = lives
        self._ending = threading.Lock()
        self._look_again = threading.Event()

    def run(self, request: sim_pb2.OpenSessionRequest) -> None:
        """Serves; returns only if the environments could not be made."""
        try:
            stepping = _stepping(request, self._lives)
            unix_socket = self._listener.getsockname()
            opened = opened_message(
                request, stepping.observation_space, stepping.action_space, str(unix_socket)
            )
        except SimError as error:
            self._control.say(Word.FAILED, error.encode())
            return
        gc.collect()
        gc.freeze()  # what the simulators' modules made stays; collections need not walk over it
        self._request = request
        self._stepping = stepping
        self._lease = Lease(lease_s(request))
        self._door = Door(self._listener, request.session_id, request.token)
        conversation = Conversation(stepping, opened, resumes=bool(request.cause))
        for name, work in (("control", self._hear), ("lease", self._watch)):
            threading.Thread(target=work, name=name, daemon=True).start()
        self._door.open()
        self._control.say(Word.READY, opened.SerializeToString())
        progressed = False
        while True:
            connection = self._door.next()
            try:
                progressed = self._converse(conversation, connection, progressed)
            except SimError as error:
                connection.refuse(error)
            except OSError:
                pass  # the client is gone; what it missed is kept
            except Exception as error:
                log("error", "a request to a session failed", error=error, session=request.session_id)
                connection.refuse(SimError("INTERNAL", "a fault of the sidecar; its log has the cause"))
            finally:
                self._door.left(connection)

    def _converse(self, conversation: Conversation, connection: Connection, progressed: bool) -> bool:
        """One stream, to its end; whether a request was ever answered."""
        lease = self._lease
        lease.renew_at_least()
        for answer in conversation.open(connection.last_step):
            connection.send(answer)
        while (message := connection.read()) is not None:
            lease.begin()
            try:
                given = conversation.answer(message)
            finally:
                lease.end()
            if not progressed:
                progressed = self._control.say(Word.PROGRESS)
            if given is not None:
                connection.send(given)
        return progressed

    def _hear(self) -> None:
        """What the server says."""
        while (heard := self._control.hear()) is not None:
            word, payload = heard
            if word is Word.RENEW:
                self._lease.renew(seconds_of(payload) or self._lease.length_s)
                self._look_again.set()
                self._control.say(Word.RENEWED, seconds(self._lease.left_s()))
            elif word is Word.REPORT:
                self._control.say(Word.REPORTED, self._report().SerializeToString())
            elif word is Word.CLOSE:
                self._end(SimError.decode(payload))
        os._exit(0)  # the server is gone, and with it everybody who could ask

    def _watch(self) -> None:
        """Ends the process with its lease; a process that hangs is given up."""
        lease = self._lease
        while True:
            if lease.hangs():
                log("error", "a session's step does not end", session=self._request.session_id)
                os._exit(HUNG_STATUS)
            if lease.left_s() <= 0:
                length = lease.length_s
                log("info", "a session's lease lapsed", session=self._request.session_id, lease_s=length)
                why = f"the session's lease of {length:g} s lapsed; create a new one"
                self._end(SimError("UNKNOWN_SESSION", why))
            self._look_again.wait(lease.look_again_in_s() + 0.001)
            self._look_again.clear()

    def _end(self, why: SimError) -> NoReturn:
        with self._ending:
            self._door.close(why)
            self._control.say(Word.ENDED, why.encode())
            os._exit(0)

    def _report(self) -> sim_pb2.SessionReport:
        stepping = self._stepping
        samples = []
        while stepping.step_seconds:
            samples.append(stepping.step_seconds.popleft())
        return sim_pb2.SessionReport(
            session_id=self._request.session_id,
            environment=self._request.environment,
            environment_count=self._request.environment_count,
            step_count=stepping.step_count,
            episode_count=stepping.episode_count,
            death_count=stepping.death_count,
            lease_left=duration(max(0.0, self._lease.left_s())),
            attached=self._door.attached,
            step_seconds=samples,
        )


def _stepping(request: sim_pb2.OpenSessionRequest, lives: int) -> Stepping:
    """The environments. Raises SimError."""
    options = options_of(request.options)
    name = request.environment
    try:
        return Stepping(
            lambda: make_gym(name, request.variant, options),
            request.environment_count,
            cast("Mode", MODES[request.autoreset_mode]),
            list(request.seeds),
            request.cause,
            lives,
        )
    except LOOKUP_FAILURES as error:
        raise lookup_error(error) from error
    except BadOption as error:
        field = f"options.{error.name}" if error.name else "options"
        raise invalid(field, str(error)) from error
    except SimError:
        raise
    except Exception as error:
        message = f"{name} cannot be built: {type(error).__name__}: {error}"
        raise SimError("SIMULATOR_FAILED", message) from error
