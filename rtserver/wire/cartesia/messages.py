"""What Cartesia's clients send. Fields that are not known are ignored: they tune another model."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct, field


class Controls(Struct):
    """How older clients ask for a speed."""

    speed: str | float | None = None


class VoiceChoice(Struct):
    """A voice by its id."""

    # None for the default voice.
    id: str | None = None
    # id or embedding.
    mode: str = "id"
    controls: Controls | None = field(name="__experimental_controls", default=None)


class OutputFormat(Struct):
    """How sound is sent."""

    # raw, wav or mp3.
    container: str = "raw"
    # pcm_s16le, pcm_f32le, pcm_mulaw or pcm_alaw; needed in the container raw.
    encoding: str | None = None
    # In Hz; None for the model's.
    sample_rate: int | None = None


class GenerationConfig(Struct):
    """How the voice speaks. Its volume and emotion are ignored."""

    # A factor.
    speed: float | None = None


class Generation(Struct):
    """Text of a context, or a whole request over HTTP."""

    # Names the context. None: a new one.
    context_id: str | None = None
    transcript: str = ""
    voice: str | VoiceChoice | None = None
    output_format: OutputFormat = field(default_factory=OutputFormat)
    language: str | None = None
    # As `language`, in newer clients.
    locale: str | None = None
    # Whether more text follows.
    continues: bool | None = field(name="continue", default=None)
    # Whether the text so far is spoken to its end.
    flush: bool | None = None
    # Whether the context is stopped, and nothing else.
    cancel: bool | None = None
    # How long text may wait for more. 0: every piece is complete.
    max_buffer_delay_ms: float | None = None
    # Whether word times are sent.
    add_timestamps: bool | None = None
    generation_config: GenerationConfig | None = None
    # slow, normal or fast, from clients without generation_config.
    speed: str | float | None = None

    @property
    def is_blank(self) -> bool:
        """Whether it says nothing."""
        return not self.transcript or self.transcript.isspace()

    @property
    def is_complete(self) -> bool:
        """Whether its text is spoken to its end, with more to follow."""
        return bool(self.continues) and (bool(self.flush) or (self.max_buffer_delay_ms == 0 and not self.is_blank))


_DECODER = msgspec.json.Decoder(Generation)


def generation_of(data: str | bytes | bytearray) -> Generation:
    """Raises ValueError, RecursionError."""
    return _DECODER.decode(data)


def named_context(data: str | bytes) -> str | None:
    """The context that a message names which is not as expected, if that can be read."""
    try:
        found: Any = msgspec.json.decode(data)
    except (ValueError, RecursionError):
        return None
    name = found.get("context_id") if isinstance(found, dict) else None
    return name if isinstance(name, str) else None
