"""What this dialect answers over HTTP, as the API's document describes it."""

from __future__ import annotations

import msgspec

from rtserver.messages import wire


class Word(msgspec.Struct):
    """When a word is heard; `offset` counts characters of the text."""

    word: str
    offset: int
    start_ms: int
    end_ms: int
    estimated: bool


class Performance(msgspec.Struct):
    """How long it took, in seconds and (timings) milliseconds. target_s and speed: where a duration was asked for."""

    audio_s: float
    wall_s: float
    realtime_factor: float | None
    timings_ms: dict[str, float]
    usage: dict[str, int]
    target_s: float | None = None
    speed: float | None = None


class LeftOut(msgspec.Struct):
    """Characters that are not spoken; `offset` counts characters of the text before them."""

    text: str
    offset: int


class Warned(msgspec.Struct, omit_defaults=True):
    """What was not done of what was asked for. unspoken: with the codes unspoken and markup."""

    code: str
    message: str
    unspoken: list[LeftOut] = []

    @classmethod
    def of(cls, warning: wire.Warning) -> Warned:
        return cls(warning.code, warning.message, [LeftOut(c.text, c.offset) for c in warning.unspoken or ()])


class Speech(msgspec.Struct):
    """A whole file in base64."""

    audio: str
    format: str
    media_type: str
    sample_rate: int
    voice: str
    seed: int
    performance: Performance
    words: list[Word]
    warnings: list[Warned] = []


class VoiceEntry(msgspec.Struct):
    """A voice."""

    voice_id: str
    name: str
    aliases: list[str]
    language: str | None
    gender: str | None


class VoiceList(msgspec.Struct):
    """All voices."""

    voices: list[VoiceEntry]
    total: int
    default_voice_id: str


class Speakers(msgspec.Struct):
    """All voices' names."""

    speakers: list[str]
