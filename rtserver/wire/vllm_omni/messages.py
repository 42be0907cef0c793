"""What clients of vllm-omni's speech socket send. Fields that are not known are ignored: they tune another model."""

from __future__ import annotations

from typing import Literal

import msgspec

# Languages as Qwen3-TTS names them.
_LANGUAGES = {
    "auto": "auto", "chinese": "zh", "english": "en", "french": "fr", "german": "de", "italian": "it",
    "japanese": "ja", "korean": "ko", "russian": "ru", "spanish": "es",
}  # fmt: skip


class SessionConfig(msgspec.Struct, tag="session.config"):
    """How the turns that follow are spoken."""

    # The voice; None for the default one.
    voice: str | None = None
    # Its name or code.
    language: str | None = None
    # pcm, wav, flac, mp3 or opus.
    response_format: Literal["pcm", "wav", "flac", "mp3", "opus"] = "pcm"
    # In Hz; None for the model's.
    sample_rate: int | None = None
    speed: float = 1.0
    seed: int | None = None
    # How to speak, in words.
    instructions: str | None = None
    # A recording in base64, or as a data: URL, whose voice is used.
    ref_audio: str | None = None
    # What the recording says.
    ref_text: str | None = None
    # "word" asks for word times.
    timestamp_type: str | None = None
    # The same.
    word_timestamps: bool = False

    @property
    def language_code(self) -> str:
        """For a `start`."""
        name = (self.language or "auto").lower()
        return _LANGUAGES.get(name, name)

    @property
    def wants_times(self) -> bool:
        return self.word_timestamps or self.timestamp_type == "word"


class InputText(msgspec.Struct, tag="input.text"):
    """More text of the turn, or the first of a new one."""

    text: str


class InputDone(msgspec.Struct, tag="input.done"):
    """The turn's text is complete."""


class SessionClose(msgspec.Struct, tag="session.close"):
    """Closes the socket when all is spoken."""


SpeechMessage = SessionConfig | InputText | InputDone | SessionClose
