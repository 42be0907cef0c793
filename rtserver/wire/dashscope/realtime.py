"""DashScope's realtime socket, as clients of Qwen's voices speak it.

> {"type": "session.update", "session": {"voice", "mode", "response_format", "sample_rate", ...}}
> {"type": "input_text_buffer.append", "text": "..."}      as often as one likes
> {"type": "input_text_buffer.commit"}, {"type": "input_text_buffer.clear"}, {"type": "response.cancel"}
> {"type": "session.finish"}                               no more text
< {"type": "session.created"}, {"type": "session.updated"}
< {"type": "response.created", ...}                        a text is about to sound
< {"type": "response.audio.delta", "delta": base64, ...}
< {"type": "response.audio.done"}, {"type": "response.done", "response": {"status": "completed" or "cancelled"}}
< {"type": "session.finished"}                             last
< {"type": "error", "error": {"code", "message"}}
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import replace

import msgspec
from aiohttp import web

from rtserver.messages import wire
from rtserver.messages.codec import MessageError
from rtserver.messages.errors import error_message
from rtserver.session.ids import new_utterance_id
from rtserver.session.outbox import WsFrame
from rtserver.session.start_request import RequestError
from rtserver.wire.dashscope.errors import error_code, error_text, http_error
from rtserver.wire.dashscope.realtime_messages import (
    AppendText,
    CancelResponse,
    ClearText,
    CommitText,
    RealtimeMessage,
    RealtimeSession,
    SessionUpdate,
)
from rtserver.wire.dashscope.request import TaskOffer
from rtserver.wire.dialect import Action, Handshake
from rtserver.wire.turns import MOST_WAITING_CHARS, Turn, TurnDialect

_DECODER: msgspec.json.Decoder[RealtimeMessage] = msgspec.json.Decoder(RealtimeMessage)


class RealtimeDialect(TurnDialect[RealtimeMessage]):
    """One socket. A response is a turn."""

    def __init__(self, handshake: Handshake, *, offer: TaskOffer) -> None:
        super().__init__(handshake)
        self._offer = offer
        self._session = RealtimeSession()
        self._start = wire.Start()  # of every turn; until the first update, of the usual session
        self._uncommitted = ""  # text of the mode `commit`
        self._id = f"sess_{new_utterance_id()}"

    def check(self) -> None:
        self._start = self._offer.start(self._session.parameters)

    def refusal(self, error: wire.Error) -> web.Response | None:
        return http_error(error)

    # -- in ---------------------------------------------------------------------------------------------------------

    def decode(self, frame: WsFrame) -> RealtimeMessage:
        try:
            return _DECODER.decode(frame)
        except (ValueError, RecursionError) as error:
            what = "expected session.update, input_text_buffer.*, response.cancel or session.finish"
            raise MessageError("bad_message", f"{what}: {str(error)[:200]}") from error

    def take(self, message: RealtimeMessage) -> Sequence[Action]:
        match message:
            case SessionUpdate(session):
                return self._update(session)
            case AppendText(text):
                return self._append(text)
            case CommitText():
                return (_told("input_text_buffer.committed"), *self._commit())
            case ClearText():
                self._drop_uncommitted()
                return (_told("input_text_buffer.cleared"),)
            case CancelResponse():
                stopped = self.stop()
                self.waiting_chars = len(self._uncommitted)  # a text that is not complete is kept
                return stopped
            case _:
                return (*self._commit(), *self.close())

    def _update(self, session: RealtimeSession) -> Sequence[Action]:
        try:
            self._start = self._offer.start(session.parameters)
        except RequestError as error:
            return self.complaint(error_message(error.code, str(error)))
        self._session = session
        return (_told("session.updated", session=self._described()),)

    def _append(self, text: str) -> Sequence[Action]:
        if self._session.mode == "server_commit":
            return self.speak(text)
        if self.waiting_chars + len(text) > MOST_WAITING_CHARS:
            what = f"expected at most {MOST_WAITING_CHARS} characters that are not spoken yet, found more"
            return self.complaint(error_message("text_too_long", what))
        self._uncommitted += text
        self.waiting_chars += len(text)
        return ()

    def _commit(self) -> Sequence[Action]:
        text = self._uncommitted
        self._drop_uncommitted()
        spoken = self.speak(text) if text else ()
        takes_text = bool(self._turns) and not self._turns[-1].flushed
        return (*spoken, *self.flush()) if takes_text else spoken

    def no_room(self, error: MessageError) -> Sequence[Action]:
        self._drop_uncommitted()
        return super().no_room(error)

    def _drop_uncommitted(self) -> None:
        self.waiting_chars -= len(self._uncommitted)
        self._uncommitted = ""

    def opening(self, turn: Turn) -> wire.Start:
        return replace(self._start, context=turn.name, text=turn.text, end=turn.flushed)

    # -- out --------------------------------------------------------------------------------------------------------

    def greeting(self, ready: wire.Ready) -> Sequence[Action]:
        return (_told("session.created", session=self._described()),)

    def begun(self, turn: Turn, started: wire.Started) -> Sequence[Action]:
        item = {"id": _item(turn), "object": "realtime.item", "type": "message", "role": "assistant"}
        return (
            _told("response.created", response=_response(turn, "in_progress")),
            _told("response.output_item.added", response_id=turn.utterance, output_index=0, item=item),
        )

    def heard(self, turn: Turn, message: wire.Audio | wire.Mark) -> Sequence[Action]:
        if isinstance(message, wire.Mark):
            return ()
        return (_told("response.audio.delta", **_part(turn), delta=base64.b64encode(message.data).decode()),)

    def over(self, turn: Turn, ended: wire.Done | wire.Cancelled | None) -> Sequence[Action]:
        if not turn.utterance:  # nothing of it was begun
            return ()
        status = "failed" if turn.failed else "completed" if isinstance(ended, wire.Done) else "cancelled"
        return (
            _told("response.audio.done", **_part(turn)),
            _told("response.done", response=_response(turn, status)),
        )

    def complaint(self, error: wire.Error) -> Sequence[Action]:
        told = {"type": "invalid_request_error", "code": error_code(error), "message": error_text(error)}
        return (_told("error", error=told),)

    def remark(self, warning: wire.Warning) -> Sequence[Action]:
        return ()

    def farewell(self) -> Sequence[Action]:
        return (_told("session.finished"),)

    def _described(self) -> dict[str, object]:
        asked = msgspec.to_builtins(self._session)
        return {"id": self._id, "object": "realtime.session", **asked, "voice": self._start.voice}


def _item(turn: Turn) -> str:
    return f"item_{turn.utterance}"


def _part(turn: Turn) -> dict[str, object]:
    return {"response_id": turn.utterance, "item_id": _item(turn), "output_index": 0, "content_index": 0}


def _response(turn: Turn, status: str) -> dict[str, object]:
    usage = {"characters": len(turn.text)}
    return {"id": turn.utterance, "object": "realtime.response", "status": status, "output": [], "usage": usage}


def _told(kind: str, **fields: object) -> str:
    return json.dumps({"event_id": f"event_{new_utterance_id()}", "type": kind, **fields})
