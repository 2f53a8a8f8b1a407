"""What a shard's stream says: step numbers, the answers that are kept, and going on after a broken stream.

Owns that no step is lost and none is done twice. Knows neither sockets nor tokens: bytes in, bytes out.
"""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Final

from google.protobuf.message import DecodeError

from promptpo.sim.errors import SimError, invalid
from promptpo.sim.sessions.stepping import Stepping
from promptpo.sim.v1 import sim_pb2

KEPT_ANSWERS: Final = 16
"""As many requests as a client may have under way before it reads an answer."""

_KEPT_BYTES: Final = 256 << 20
"""Pictures are large: of those fewer are kept, the last one always."""


class Conversation:
    """One stream after another, each going on where the last one broke."""

    def __init__(self, stepping: Stepping, opened: sim_pb2.ShardOpened, *, resumes: bool) -> None:
        """`resumes`: there was a shard before this one, whose step numbers only the client knows."""
        self._stepping = stepping
        self._opened = opened
        self._next_step = None if resumes else 0
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._kept_bytes = 0
        self._had = -1
        """The last step that the client had when it opened this stream."""
        self._again: set[int] = set()
        """Steps of those whose answer was asked for and sent again on this stream."""

    def open(self, last_step: int) -> Iterator[bytes]:
        """What a new stream begins with. Raises SimError if this client cannot go on here."""
        if last_step < -1:
            raise invalid("open.last_step", f"the number of a step, or -1 at first; got {last_step}")
        if self._next_step is None:
            self._next_step = last_step + 1
        done = self._next_step - 1
        if last_step > done:
            what = f"step {done} is the last that was done" if done >= 0 else "nothing was done yet"
            raise invalid("open.last_step", f"{what}, got {last_step}")
        if last_step < done and last_step + 1 not in self._kept:
            raise invalid(
                "open.last_step",
                f"answers from step {next(iter(self._kept), done)} on are kept, {last_step + 1} is needed",
            )
        self._had = last_step
        self._again = set()
        self._opened.next_step = self._next_step
        yield sim_pb2.StepResponse(opened=self._opened).SerializeToString()
        for step in range(last_step + 1, self._next_step):
            yield self._kept[step]

    def answer(self, message: bytes) -> bytes | None:
        """Carries out one request; None where it needs no answer. Raises SimError, which ends the stream."""
        try:
            request = sim_pb2.StepRequest.FromString(message)
        except DecodeError as error:
            raise SimError("MALFORMED_MESSAGE", "the message is no StepRequest") from error
        kind = request.WhichOneof("kind")
        if kind == "actions":
            actions = request.actions
            if actions.step != self._next_step:
                return self._repeated(actions.step, "actions.step")
            return self._keep(self._stepping.act(actions.step, actions.indices, actions.data))
        if kind == "reset":
            reset = request.reset
            if reset.step != self._next_step:
                return self._repeated(reset.step, "reset.step")
            return self._keep(self._stepping.reset(reset.step, reset.indices, reset.seeds))
        if kind == "render":
            pictures = self._stepping.pictures(request.render.indices)
            frames = sim_pb2.Frames(png=[_png(picture) for picture in pictures])
            return sim_pb2.StepResponse(frames=frames).SerializeToString()
        if kind == "open":
            raise invalid("open", "the stream is open already")
        raise invalid("kind", "a request holds actions, reset or render")

    def _keep(self, answer: bytes) -> bytes:
        assert self._next_step is not None
        self._kept[self._next_step] = answer
        self._next_step += 1
        self._kept_bytes += len(answer)
        while len(self._kept) > KEPT_ANSWERS or (self._kept_bytes > _KEPT_BYTES and len(self._kept) > 1):
            self._kept_bytes -= len(self._kept.popitem(last=False)[1])
        return answer

    def _repeated(self, step: int, field: str) -> bytes | None:
        """A request out of turn: one that was carried out before, else the caller's mistake."""
        assert self._next_step is not None
        if not 0 <= step < self._next_step:
            raise invalid(field, f"the next step is {self._next_step}, got {step}")
        if step > self._had or step in self._again:
            return None  # its answer went out on this stream
        if step not in self._kept:
            raise invalid(field, f"step {step} was done and its answer is no longer kept")
        self._again.add(step)
        return self._kept[step]


def _png(picture: Any) -> bytes:  # noqa: ANN401 - (height, width, 3) uint8
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
