"""What clients of ElevenLabs send. Fields that are not known are ignored: they tune another model."""

from __future__ import annotations

from typing import Any

import msgspec

from cosyvoice.config import MAX_SPEED, MIN_SPEED


class VoiceSettings(msgspec.Struct):
    """How a voice speaks. Of ElevenLabs' settings only the speed is known here."""

    # A factor of the usual speed.
    speed: float | None = None

    @property
    def possible_speed(self) -> float:
        """The nearest speed that can be spoken."""
        return 1.0 if self.speed is None else min(max(self.speed, MIN_SPEED), MAX_SPEED)


class InputMessage(msgspec.Struct):
    """Every message of a socket."""

    # More text. An empty one keeps a socket with contexts alive; on `stream-input` it is the end.
    text: str | None = None
    # The context that is meant, in either spelling; none for the one without a name.
    context_id: str | None = None
    camel_context_id: str | None = msgspec.field(name="contextId", default=None)
    # Of the first message of a context.
    voice_settings: VoiceSettings | None = None
    # Dictionaries that the service keeps. There are none here.
    pronunciation_dictionary_locators: list[Any] | None = None
    # Whether the text so far is spoken without waiting for more.
    flush: bool | None = None
    # Whether the context takes no more text.
    close_context: bool | None = None
    # Whether the socket closes when all is spoken.
    close_socket: bool | None = None
    # A key, from clients that send none with the handshake.
    xi_api_key: str | None = None
    # The same, as `Bearer KEY`.
    authorization: str | None = None

    @property
    def context(self) -> str | None:
        """How the client names the context."""
        return self.context_id or self.camel_context_id or None

    @property
    def key(self) -> str | None:
        """The key in it."""
        return self.xi_api_key or (self.authorization or "").removeprefix("Bearer ").strip() or None


class SpeechRequest(msgspec.Struct):
    """The body of a request over HTTP."""

    text: str
    voice_settings: VoiceSettings | None = None
    language_code: str | None = None
    # The same seed gives the same speech.
    seed: int | None = None
    pronunciation_dictionary_locators: list[Any] | None = None
