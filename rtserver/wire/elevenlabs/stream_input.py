"""ElevenLabs' `/v1/text-to-speech/{voice}/stream-input`: one text on a socket, which closes at its end.

> {"text": " ", "voice_settings": {...}}   first
> {"text": "word "}                        as often as one likes, with "flush": true to speak it at once
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
from rtserver.wire.elevenlabs.errors import POLICY_CODE, error_text
from rtserver.wire.elevenlabs.messages import InputMessage
from rtserver.wire.elevenlabs.query import SpeechOffer


class StreamInputDialect(InputDialect):
    """One socket, and its only context."""

    def __init__(self, handshake: Handshake, *, offer: SpeechOffer) -> None:
        super().__init__(handshake, offer=offer)
        self._context: InputContext | None = None  # until the first message

    def take(self, message: InputMessage) -> Sequence[Action]:
        if self.closes:
            return ()
        remarks: list[Action] = []
        if self._context is None:
            self._context = self.begin(None, message.voice_settings)
            if message.pronunciation_dictionary_locators:
                remarks.append(self.remark(DICTIONARIES_IGNORED, None))
        if message.text == "":
            self.closes = True
            return (*remarks, *self.end(self._context))
        return (*remarks, *self.speak(self._context, message.text or "", flush=bool(message.flush)))

    def named(self, context_id: str | None) -> Mapping[str, object]:
        return {}

    def over(self, context: InputContext) -> Sequence[Action]:
        return (Closing(1000, ""),)

    def failed(self, context: InputContext, error: wire.Error) -> Sequence[Action]:
        """Their own client shows the error if it is the last message, and the reason of the close if it still sends."""
        self.closes = True
        return (Closing(POLICY_CODE, error_text(error)),)
