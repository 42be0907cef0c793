"""Deepgram's `/v1/speak` on a socket.

> {"type": "Speak", "text": "..."}      as often as one likes
> {"type": "Flush"}                     the text is complete
> {"type": "Clear"}                     stops
> {"type": "Close"}
< {"type": "Metadata", ...}             first
< sound in binary frames
< {"type": "Flushed", "sequence_id": 0} after all sound of a Flush
< {"type": "Cleared", "sequence_id": 0} no sound of before follows
< {"type": "Warning", ...}, {"type": "Error", ...}
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec

from rtserver.messages import wire
from rtserver.messages.codec import MessageError
from rtserver.session.ids import new_utterance_id
from rtserver.session.outbox import WsFrame
from rtserver.wire.deepgram.errors import socket_code, socket_text
from rtserver.wire.deepgram.messages import AuraMessage, SpeakMessage
from rtserver.wire.deepgram.model_ids import model_id
from rtserver.wire.deepgram.query import SpeakOffer
from rtserver.wire.deepgram.turns import SpeakDialect
from rtserver.wire.dialect import Action, Handshake
from rtserver.wire.turns import Turn

_DECODER: msgspec.json.Decoder[AuraMessage] = msgspec.json.Decoder(AuraMessage)


class AuraDialect(SpeakDialect):
    """One socket of `/v1/speak`."""

    def __init__(self, handshake: Handshake, *, offer: SpeakOffer) -> None:
        super().__init__(handshake, offer=offer)
        self._flushed = 0
        self._cleared = 0

    def decode(self, frame: WsFrame) -> SpeakMessage:
        try:
            return _DECODER.decode(frame)
        except (ValueError, RecursionError) as error:
            raise MessageError("bad_message", f"expected Speak, Flush, Clear or Close: {str(error)[:200]}") from error

    def command(self, message: SpeakMessage) -> Sequence[Action]:
        """Clear."""
        return self.stop() or self._clear()

    def greeting(self, ready: wire.Ready) -> Sequence[Action]:
        model = self.query.model
        told = {"type": "Metadata", "request_id": new_utterance_id(), "model_name": model}
        return (json.dumps(told | {"model_version": ready.server, "model_uuid": model_id(model)}),)

    def begun(self, turn: Turn, started: wire.Started) -> Sequence[Action]:
        return ()

    def over(self, turn: Turn, ended: wire.Done | wire.Cancelled | None) -> Sequence[Action]:
        if turn.stops:
            return [frame for _ in range(turn.stops) for frame in self._clear()]
        told = json.dumps({"type": "Flushed", "sequence_id": self._flushed})
        self._flushed += 1
        return (told,)

    def complaint(self, error: wire.Error) -> Sequence[Action]:
        """pipecat logs a Warning and knows no Error; LiveKit gives up and tries again after an Error."""
        code, text = socket_code(error), socket_text(error)
        told = {"code": code, "description": text}
        return (
            json.dumps({"type": "Warning", **told, "warn_code": code, "warn_msg": text}),
            json.dumps({"type": "Error", **told, "err_code": code, "err_msg": text}),
        )

    def remark(self, warning: wire.Warning) -> Sequence[Action]:
        code, text = warning.code.upper(), warning.message
        told = {"type": "Warning", "code": code, "description": text, "warn_code": code, "warn_msg": text}
        return (json.dumps(told),)

    def _clear(self) -> Sequence[Action]:
        told = json.dumps({"type": "Cleared", "sequence_id": self._cleared})
        self._cleared += 1
        return (told,)
