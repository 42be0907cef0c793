"""Deepgram's `/v2/speak` on a socket.

> {"type": "Speak", "text": "..."}            as often as one likes
> {"type": "Flush"}                           the turn is complete
> {"type": "Interrupt", "playback_offset": {"type": "time_ms", "value": 900}}
> {"type": "Configure", "speed": 1.1}         for the turns that follow
> {"type": "Close"}
< {"type": "Connected", ...}                  first
< {"type": "SpeechStarted", "speech_id": "u_..."}
< sound in binary frames
< {"type": "Flushed", ...}, {"type": "SpeechMetadata", ...}  after all sound of a turn
< {"type": "SpeechInterrupted", ...}          no sound of before follows
< {"type": "SessionMetadata", ...}            last
< {"type": "Warning", ...}, {"type": "Error", ...}
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec

from cosyvoice.config import MAX_SPEED, MIN_SPEED
from rtserver.messages import wire
from rtserver.messages.codec import MessageError
from rtserver.session.ids import new_utterance_id
from rtserver.session.outbox import WsFrame
from rtserver.wire.deepgram.errors import socket_code, socket_text
from rtserver.wire.deepgram.messages import Configure, FluxMessage, Interrupt, Offset, SpeakMessage
from rtserver.wire.deepgram.model_ids import model_id
from rtserver.wire.deepgram.query import SpeakOffer
from rtserver.wire.deepgram.turns import SpeakDialect
from rtserver.wire.dialect import Action, Handshake
from rtserver.wire.turns import Turn

_DECODER: msgspec.json.Decoder[FluxMessage] = msgspec.json.Decoder(FluxMessage)
_CONTROLS = {"pronunciations_applied": 0, "breaks_applied": 0, "pronunciation_warnings": 0}


class FluxDialect(SpeakDialect):
    """One socket of `/v2/speak`."""

    def __init__(self, handshake: Handshake, *, offer: SpeakOffer) -> None:
        super().__init__(handshake, offer=offer)
        self._sound_ms = 0.0  # of all turns; after an interrupt, what was heard of them
        self._characters = 0  # of all turns
        self._offset: float | None = None  # of the interrupt under way
        self._interrupted_ms = 0.0  # the offset of the last one

    # -- in ---------------------------------------------------------------------------------------------------------

    def decode(self, frame: WsFrame) -> SpeakMessage:
        try:
            return _DECODER.decode(frame)
        except (ValueError, RecursionError) as error:
            what = "expected Speak, Flush, Interrupt, Configure or Close"
            raise MessageError("bad_message", f"{what}: {str(error)[:200]}") from error

    def command(self, message: SpeakMessage) -> Sequence[Action]:
        if isinstance(message, Configure):
            return (self._configure(message.speed),)
        assert isinstance(message, Interrupt)
        return self._interrupt(message.playback_offset)

    def _configure(self, speed: float | None) -> str:
        if speed is not None and not MIN_SPEED <= speed <= MAX_SPEED:
            what = f"speed: expected {MIN_SPEED} to {MAX_SPEED}, found {speed}"
            told = {"type": "ConfigureFailure", "code": "SPEED_OUT_OF_RANGE", "field": "speed"}
            return json.dumps(told | {"value": speed, "description": what})
        self.speed = self.speed if speed is None else speed
        return json.dumps({"type": "ConfigureSuccess", "applied": {"speed": self.speed}})

    def _interrupt(self, offset: Offset | None) -> Sequence[Action]:
        turn = self.spoken_turn
        if turn is not None and turn.stops:
            return (_warning("INTERRUPT_IN_PROGRESS", "the turn is being stopped"),)
        if offset is not None and offset.value < self._interrupted_ms:
            what = f"expected an offset from {self._interrupted_ms:g} ms on, found {offset.value:g}"
            return (_warning("INVALID_INTERRUPT_OFFSET", what),)
        stopped = self.stop()
        if turn is None:
            return (_warning("NO_ACTIVE_SPEECH", "nothing is spoken"),)
        self._offset = None if offset is None else offset.value
        if offset is None:
            return stopped
        # The listener may still hear an earlier turn.
        heard_ms = max(0.0, offset.value - self._sound_ms)
        return (wire.Played(heard_ms, turn.name), *stopped)

    # -- out --------------------------------------------------------------------------------------------------------

    def greeting(self, ready: wire.Ready) -> Sequence[Action]:
        model = self.query.model
        told = {"type": "Connected", "request_id": new_utterance_id(), "model_name": model}
        return (json.dumps(told | {"model_version": ready.server, "model_uuids": [model_id(model)]}),)

    def begun(self, turn: Turn, started: wire.Started) -> Sequence[Action]:
        return (json.dumps({"type": "SpeechStarted", "speech_id": turn.utterance}),)

    def over(self, turn: Turn, ended: wire.Done | wire.Cancelled | None) -> Sequence[Action]:
        self._characters += len(turn.text)
        if isinstance(ended, wire.Cancelled):
            return (self._interrupted(turn, ended),)
        audio_ms = 0 if ended is None else ended.audio_ms
        self._sound_ms += audio_ms
        told: list[Action] = []
        if turn.stops:
            told.append(_warning("NO_ACTIVE_SPEECH", "the turn was complete when it was stopped"))
        elif not (turn.text or turn.failed):
            return (_warning("NO_ACTIVE_SPEECH", "expected text before a Flush, found none"),)
        elif ended is None and not turn.failed:
            told.append(_warning("NO_SYNTHESIZABLE_TEXT", "expected something to say, found none"))
        flushed = json.dumps({"type": "Flushed", "speech_id": turn.utterance})
        return (*told, flushed, json.dumps({"type": "SpeechMetadata", **_metadata(turn, audio_ms)}))

    def _interrupted(self, turn: Turn, cancelled: wire.Cancelled) -> str:
        told: dict[str, object] = {"type": "SpeechInterrupted"}
        if self._offset is None:
            self._sound_ms += cancelled.sent_ms
        else:
            self._sound_ms = self._offset
            heard = cancelled.text_heard
            told |= {"text_spoken": heard, "text_remaining": turn.text[len(heard) :]}
        self._interrupted_ms = self._sound_ms
        told |= {"audio_played_ms": round(self._sound_ms), "metadata": _metadata(turn, cancelled.sent_ms)}
        return json.dumps(told)

    def complaint(self, error: wire.Error) -> Sequence[Action]:
        return (json.dumps({"type": "Error", "code": socket_code(error), "description": socket_text(error)}),)

    def remark(self, warning: wire.Warning) -> Sequence[Action]:
        return (_warning(warning.code.upper(), warning.message),)

    def farewell(self) -> Sequence[Action]:
        totals = {"total_audio_duration_ms": round(self._sound_ms), "total_input_character_count": self._characters}
        return (json.dumps({"type": "SessionMetadata", **totals, "total_billable_character_count": self._characters}),)


def _metadata(turn: Turn, audio_ms: int) -> dict[str, object]:
    """What is told of a turn that is over."""
    characters = {"input_character_count": len(turn.text), "billable_character_count": len(turn.text)}
    return {
        "speech_id": turn.utterance,
        "audio_duration_ms": audio_ms,
        **characters,
        "controls_applied": _CONTROLS,
    }


def _warning(code: str, text: str) -> str:
    return json.dumps({"type": "Warning", "code": code, "description": text})
