"""What LiveKit's inference client sends. Fields that are not known are ignored: they tune other models."""

from __future__ import annotations

from typing import Literal

import msgspec


class SessionCreate(msgspec.Struct, tag="session.create"):
    """How the turns are spoken."""

    voice: str | None = None
    language: str | None = None
    encoding: Literal["pcm_s16le"] = "pcm_s16le"
    # In Hz; the client writes it as text.
    sample_rate: str | int | None = None


class GenerationConfig(msgspec.Struct):
    """The same for a turn, where it was changed."""

    voice: str | None = None
    language: str | None = None


class InputTranscript(msgspec.Struct, tag="input_transcript"):
    """A sentence of the turn, or the first of a new one."""

    transcript: str
    generation_config: GenerationConfig = msgspec.field(default_factory=GenerationConfig)


class SessionFlush(msgspec.Struct, tag="session.flush"):
    """The turn's text is complete."""


InferenceMessage = SessionCreate | InputTranscript | SessionFlush
