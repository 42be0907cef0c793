"""`/ws/v1/tts`: the old server's socket. A JSON request in, sound out, `{"done": true}`; then the next request.

Sound comes in binary frames, or with `"encoding": "base64"` as {"type": "audio_chunk", "data": ...}. An error is
{"error": {...}}, after which the next request may come. A request that comes while one is spoken waits.
"""

from __future__ import annotations

import base64
import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from rtserver.http.answers import error_body
from rtserver.messages import wire
from rtserver.messages.codec import MessageError
from rtserver.session.outbox import WsFrame
from rtserver.session.start_request import RequestError
from rtserver.uploads.errors import UploadError
from rtserver.wire.dialect import Action, Dialect, Handshake
from rtserver.wire.opening import Opening
from rtserver.wire.tts_v1.request import from_json
from rtserver.wire.tts_v1.schemas import Warned

MAX_WAITING = 16  # requests that came while one is spoken
_REFUSED = "refused"  # the context of a request that is answered out of its turn


@dataclass(frozen=True)
class Asked:
    """A request in its turn: what it opens, or why it opens nothing."""

    opening: Opening | MessageError
    # Whether its sound comes in JSON.
    in_json: bool = False
    # Characters of the request, which count while it waits.
    chars: int = 0


class TtsDialect(Dialect[Asked]):
    """One request at a time is a context of the session; they all have the same name."""

    keeps_messages = True
    idle_s = 0.0

    def __init__(self, handshake: Handshake, *, upload_bytes: int, waiting_chars: int) -> None:
        super().__init__(handshake)
        self._upload_bytes = upload_bytes
        self._most_chars = waiting_chars  # of requests that wait
        self._waiting: deque[Asked] = deque()
        self._speaking: Asked | None = None
        self._started: wire.Started | None = None
        self._warnings: list[dict[str, object]] = []

    # -- in ---------------------------------------------------------------------------------------------------------

    def decode(self, frame: WsFrame) -> Asked:
        try:
            request = from_json(frame)
            opening = request.opening({}, sound="pcm_s16le", upload_bytes=self._upload_bytes)
        except (RequestError, UploadError) as error:
            return Asked(_start_error(error.code, str(error)), chars=len(frame))
        return Asked(opening, request.encoding == "base64", len(frame))

    def take(self, message: Asked) -> Sequence[Action]:
        if self._speaking is None:
            return self._begin(message)
        if len(self._waiting) >= MAX_WAITING or self.waiting_chars + message.chars > self._most_chars:
            what = f"expected at most {MAX_WAITING} waiting requests"
            return (_start_error("overloaded", what, _REFUSED),)
        self.waiting_chars += message.chars
        self._waiting.append(message)
        return ()

    def unreadable(self, error: MessageError) -> Sequence[Action]:
        """It is answered out of its turn."""
        return (MessageError(error.code, str(error), {"type": "start", "context": _REFUSED}),)

    def no_room(self, error: MessageError) -> Sequence[Action]:
        self.waiting_chars -= self._waiting.pop().chars
        return self.unreadable(error)

    def _begin(self, asked: Asked) -> Sequence[Action]:
        self._speaking, self._warnings = asked, []
        return (asked.opening,)

    def _next(self) -> Sequence[Action]:
        """The one that was spoken is over."""
        self._speaking = None
        if not self._waiting:
            return ()
        asked = self._waiting.popleft()
        self.waiting_chars -= asked.chars
        return self._begin(asked)

    # -- out --------------------------------------------------------------------------------------------------------

    def tell(self, message: wire.ServerMessage) -> Sequence[Action]:
        match message:
            case wire.Started():
                self._started = message
            case wire.Warning():
                self._warnings.append(msgspec.to_builtins(Warned.of(message)))
            case wire.Audio():
                return (self._sound(message.data),)
            case wire.Done():
                return (self._done(message), *self._next())
            case wire.Error():
                told = json.dumps({"error": error_body(message)})
                return (told,) if message.context == _REFUSED else (told, *self._next())
        return ()

    def _done(self, done: wire.Done) -> str:
        assert self._started is not None
        told: dict[str, object] = {"done": True, "sample_rate": self._started.sample_rate, "audio_ms": done.audio_ms}
        told["id"] = self._started.id
        if self._warnings:
            told["warnings"] = self._warnings
        return json.dumps(told)

    def _sound(self, data: bytes) -> WsFrame:
        if self._speaking is None or not self._speaking.in_json:
            return data
        return json.dumps({"type": "audio_chunk", "data": base64.b64encode(data).decode()})


def _start_error(code: str, text: str, context: str = wire.DEFAULT_CONTEXT) -> MessageError:
    """The session answers it as it answers a start that is no message."""
    return MessageError(code, text, {"type": "start", "context": context})
