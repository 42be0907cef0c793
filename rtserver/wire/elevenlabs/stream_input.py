"""ElevenLabs' `/v1/text-to-speech/{voice}/stream-input`: one text on a socket, which closes at its end.

> {"text": " ", "voice_settings": {...}}   first
> {"text": "word "}                        as often as one likes, with "flush": true to speak it at once
> {"text": " "}                            keeps the socket open
> {"text": ""}                             the text is complete
< {"audio": "...", "alignment": {...}, "normalizedAlignment": {...}, "isFinal": null}
< {"audio": null, "isFinal": true}         last
< {"message": "...", "error": "...", "code": 1008}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rtserver.messages import wire
from rtserver.session.outbox import Closing
from rtserver.wire.dialect import Action, Handshake
from rtserver.wire.elevenlabs.context import InputContext
from rtserver.wire.elevenlabs.dialect import DICTIONARIES_IGNORED, InputDialect
from rtserver.wire.elevenlabs.errors import POLICY_CODE, error_text, timeout_text
from rtserver.wire.elevenlabs.messages import InputMessage
from rtserver.wire.elevenlabs.query import SpeechOffer
from rtserver.wire.elevenlabs.silence import Silence


class StreamInputDialect(InputDialect):
    """One socket, and its only context."""

    def __init__(self, handshake: Handshake, *, offer: SpeechOffer) -> None:
        super().__init__(handshake, offer=offer)
        self._context: InputContext | None = None  # until the first message
        self._first_silence = Silence()  # before that message

    def take(self, message: InputMessage) -> Sequence[Action]:
        if self.closes:
            return ()
        remarks: list[Action] = []
        if self._context is None:
            self._context = self.begin(None, message.voice_settings)
            if message.pronunciation_dictionary_locators:
                remarks.append(self.remark(DICTIONARIES_IGNORED, None))
        self._context.silence.broken()
        if message.text == "":
            self.closes = True
            return (*remarks, *self.end(self._context))
        return (*remarks, *self.speak(self._context, message.text or "", flush=bool(message.flush)))

    def tick(self) -> Sequence[Action]:
        if self.closes:
            return ()
        if self._context is None:
            return self._too_late() if self._first_silence.grows() else ()
        return super().tick()

    def named(self, context_id: str | None) -> Mapping[str, object]:
        return {}

    def over(self, context: InputContext) -> Sequence[Action]:
        return (Closing(1000, ""),)

    def failed(self, context: InputContext, error: wire.Error) -> Sequence[Action]:
        """Their own client shows the error if it is the last message, and the reason of the close if it still sends."""
        self.closes = True
        return (Closing(POLICY_CODE, error_text(error)),)

    def timed_out(self, context: InputContext) -> Sequence[Action]:
        return self._too_late()

    def _too_late(self) -> Sequence[Action]:
        self.closes = True
        return (self.timeout(), Closing(POLICY_CODE, timeout_text(self.query.inactivity_s)))
