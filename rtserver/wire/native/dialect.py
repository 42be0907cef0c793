"""The native wire, version 1, on one socket. See docs/protocol.md."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence

from aiohttp import WSCloseCode, web

from rtserver.http.answers import error_response
from rtserver.messages import wire
from rtserver.messages.codec import MessageError
from rtserver.schedule.reservations import LEAST_SHARE
from rtserver.session.ids import new_utterance_id
from rtserver.session.outbox import Closing, WsFrame
from rtserver.session.start_request import RequestError
from rtserver.wire.dialect import Action, Dialect, Handshake
from rtserver.wire.socket_frames import audio_frames

# A browser sees no HTTP status: these refusals are told on an open socket.
_TOLD_ON_THE_SOCKET = frozenset({"unauthorized", "overloaded", "bad_message"})
# How the types of an OpenAI Realtime client's messages begin. It sends `session.update` first.
_OPENAI_TYPES = ("session.", "conversation.", "response.", "input_audio_buffer.")
_NOT_OPENAI = (
    "this server speaks text and holds no conversation: expected the protocol rt.v1.json or rt.v1.msgpack, best at "
    "/v1/speech/realtime, or a request to POST /v1/tts/stream; found a message of OpenAI Realtime"
)


class NativeDialect(Dialect[wire.ClientMessage]):
    """Messages are the session's own. JSON is in text frames and sound in binary ones; or all is msgpack, in binary
    frames. `shares_path`: OpenAI Realtime clients come to the same path."""

    subprotocols = (wire.JSON_SUBPROTOCOL, wire.MSGPACK_SUBPROTOCOL)

    def __init__(self, handshake: Handshake, *, shares_path: bool = False) -> None:
        super().__init__(handshake)
        agreed = handshake.agreed(self.subprotocols)
        self._packs = agreed == wire.MSGPACK_SUBPROTOCOL
        self._may_be_openai = shares_path and agreed is None
        if self._packs:
            self.takes = frozenset({"binary"})
        else:
            self.sound_frames = audio_frames

    def check(self) -> None:
        """`?reserve=SHARE`: how much of the time the conversation speaks."""
        text = self.handshake.query.get("reserve")
        if text is None:
            return
        with contextlib.suppress(ValueError):
            if LEAST_SHARE <= (share := float(text)) <= 1:
                self.share = share
                return
        what = f"reserve: expected a share of the time, from {LEAST_SHARE:g} to 1, found {text!r:.40}"
        raise RequestError("bad_message", what)

    def refusal(self, error: wire.Error) -> web.Response | None:
        return None if error.code in _TOLD_ON_THE_SOCKET else error_response(error)

    def decode(self, frame: WsFrame) -> wire.ClientMessage:
        return wire.CLIENT.from_msgpack(frame) if isinstance(frame, bytes) else wire.CLIENT.from_json(frame)

    def take(self, message: wire.ClientMessage) -> Sequence[Action]:
        self._may_be_openai = False
        return (message,)

    def unreadable(self, error: MessageError) -> Sequence[Action]:
        is_openai = self._may_be_openai and (error.raw.get("type") or "").startswith(_OPENAI_TYPES)
        self._may_be_openai = False
        if is_openai:
            return _openai_error(), Closing(WSCloseCode.POLICY_VIOLATION, "expected rt.v1, found OpenAI Realtime")
        return (error,)

    def tell(self, message: wire.ServerMessage) -> Sequence[WsFrame]:
        if self._packs:
            return (wire.SERVER.to_msgpack(wire.without_stream(message)),)
        if isinstance(message, wire.Audio):
            return (wire.pack_audio(message),)
        return (wire.SERVER.to_json(message),)


def _openai_error() -> str:
    """An error of this wire, with what clients of OpenAI Realtime look for in `error`."""
    told = wire.SERVER.to_map(wire.Error("unknown_type", _NOT_OPENAI, id=new_utterance_id()))
    inner = {"type": "invalid_request_error", "code": "unknown_type", "message": _NOT_OPENAI, "param": "type"}
    return json.dumps(told | {"event_id": told["id"], "error": inner | {"event_id": None}})
