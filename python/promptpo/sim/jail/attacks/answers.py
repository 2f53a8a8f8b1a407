"""Attacks on the conversation: answers of a wrong size, late, doubled, early, replayed, forged."""

from __future__ import annotations

from typing import Final

from promptpo.sim.jail.attacks.attack import AT_STEP, IMPATIENT, QUICK, Attack

_TOOLS: Final = """
        from promptpo.sim.jail import frames
        from promptpo.sim.policy_error import PolicyError
        due, room = policy.step + 1, 8

        def action(number, value=3):
            return frames.pack_action(number, np.asarray(value), room)

        def failure(number, kind, **parts):
            blob = frames.pack_failure(PolicyError(kind, "not my fault", **parts))
            return frames.pack_status(number, frames.FAILURE, len(blob), room) + blob

        def say(*parts):
            for part in parts:
                os.write(4, part)
"""


def _forges(name: str, code: str, says: str = "forged frame", ends_at: int = AT_STEP) -> Attack:
    return Attack(name, f"{_TOOLS}\n        {code}", "ESCAPE_ATTEMPT", says, ends_at=ends_at)


ATTACKS: Final = (
    _forges("answers twice", "say(action(due))", "numbered 3, 4 was due", AT_STEP + 1),
    _forges("answers early", "say(action(due + 1))", "numbered 4, 3 was due"),
    _forges("answers what was answered before", "say(action(due - 1))", "numbered 2, 3 was due"),
    _forges("answers from far ahead", "say(action(2**64 - 1))", "numbered 18446744073709551615"),
    _forges("answers with too much", "say(action(due) + b'x')", ends_at=AT_STEP + 1),
    _forges("answers with noise", "say(os.urandom(1 << 14))"),
    _forges("answers with nothing but zeros", "say(bytes(48))", "status 0 is none of ours"),
    _forges("answers with an unknown status", "say(frames.pack_status(due, 77, 0, room))", "status 77"),
    _forges("says again that it is confined", "say(frames.pack_status(due, frames.CONFINED, 0, room))"),
    _forges("says that it could not be confined", "say(frames.pack_status(due, frames.BROKEN, 0, room))"),
    _forges("says again that it is ready", "say(frames.pack_status(due, frames.READY, 0, room))"),
    _forges("answers with a text", "say(frames.pack_status(due, frames.TEXT, 4, room) + b'text')"),
    _forges(
        "announces a long text", "say(frames.pack_status(due, frames.FAILURE, 1 << 31, room))", "at most"
    ),
    _forges(
        "announces an unknown kind of number",
        "say(frames.ANSWER_HEADER.pack(due, 4, 99, *[0] * 7).ljust(48))",
    ),
    _forges(
        "announces many dimensions", "say(frames.ANSWER_HEADER.pack(due, 4, 4, 200, *[0] * 6).ljust(48))"
    ),
    _forges(
        "announces more than it sends",
        "say(frames.ANSWER_HEADER.pack(due, 4, 4, 1, 0, 1000, 0, 0, 0, 8000).ljust(48))",
        "announces 8000 bytes",
    ),
    _forges(
        "claims to have been too late", "say(failure(due, 'TIMEOUT'))", "claims to have failed as 'TIMEOUT'"
    ),
    _forges("claims to have been killed", "say(failure(due, 'KILLED'))", "claims to have failed as 'KILLED'"),
    _forges(
        "claims a failure that does not exist",
        "say(frames.pack_status(due, 5, 40, room), b'SUCCESS'.ljust(40, b'\\0'))",
        "claims to have failed as 'SUCCESS'",
    ),
    _forges(
        "claims a failure whose parts do not add up",
        "say(frames.pack_status(due, 5, 32, room), b'EXCEPTION'.ljust(16, b'\\0') + b'\\xff' * 16)",
        "do not add up",
    ),
    Attack(
        "claims a failure of its own making",
        f"{_TOOLS}\n        say(failure(due, 'EXCEPTION', line=1)); os._exit(0)",
        "EXCEPTION",
        "not my fault",
    ),
    Attack(
        "answers with dimensions beyond counting",
        f"{_TOOLS}\n        say(frames.ANSWER_HEADER.pack(due, 4, 4, 4, 0, *[2**32 - 1] * 4, 0).ljust(48))",
        "BAD_ACTION",
        "4294967295",
    ),
    Attack(
        "answers with the header of a good action and another number",
        f"{_TOOLS}\n        say(action(due, 99))",
        "BAD_ACTION",
        "act returned 99, expected an integer from 0 to 3",
    ),
    Attack(
        "answers in pieces",
        f"""{_TOOLS}
        # The bytes of the honest answer, one by one; then it comes again.
        for byte in action(due, 1):
            os.write(4, bytes([byte]))
        """,
        "ESCAPE_ATTEMPT",
        "numbered 3, 4 was due",
        ends_at=AT_STEP + 1,
    ),
    Attack(
        "answers half and waits",
        "os.write(4, bytes(20)); os.read(3, 1)",
        "TIMEOUT",
        "one action took more than 0.3 s",
        IMPATIENT,
    ),
    Attack(
        "answers half and computes",
        "os.write(4, bytes(20))\nwhile True: pass",
        "CPU",
        "one action took more than 0.2 s of CPU time",
        QUICK,
    ),
    Attack(
        "announces a failure and waits",
        f"{_TOOLS}\n        say(frames.pack_status(due, frames.FAILURE, 1000, room)); os.read(3, 1)",
        "TIMEOUT",
        "one action took more than 0.3 s",
        IMPATIENT,
    ),
    Attack("answers half and leaves", "os.write(4, bytes(20)); os._exit(0)", "KILLED", "exit code 0"),
    Attack(
        "answers never",
        "os.read(3, 1); os.read(3, 1)",
        "TIMEOUT",
        "one action took more than 0.3 s",
        IMPATIENT,
    ),
    Attack("closes its answers", "os.close(4)", "KILLED", "ended itself with exit code 1"),
    Attack(
        "closes all it has and stays",
        "pid = libc.getpid()\nfor fd in range(5): os.close(fd)\nos.kill(pid, 19)",
        "KILLED",
        "went on running",
    ),
    Attack(
        "writes where it is asked",
        "refused(os.write, 3, b'x'); refused(os.read, 4, 1)",
    ),
    Attack(
        "seeks in its pipes",
        "refused(os.lseek, 3, 0, 0); refused(os.lseek, 4, 0, 0); refused(os.pread, 3, 1, 0)",
    ),
    Attack(
        "reads ahead",
        "os.read(3, 1 << 20)",
        "TIMEOUT",
        "one action took more than 0.3 s",
        IMPATIENT,
    ),
    Attack(
        "changes the number that it has to answer",
        """
        frame = sys._getframe(2)
        frame.f_trace = lambda *_: None
        for name in ("sequence", "size", "action_bytes"):
            frame.f_locals[name] = 10**6
        ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), 0)
        """,
    ),
)
