"""What a session must know of its server."""

from __future__ import annotations

from dataclasses import dataclass, field

from rtserver.session.voice_names import VoiceNames


@dataclass(frozen=True)
class ServerInfo:
    """What a session must know of its server."""

    # Name and version of the server.
    server: str
    # Name of the model.
    model: str
    # Of the model's sound, in Hz.
    sample_rate: int
    # How many voices there are.
    voices: int
    # The modes that the model has.
    modes: tuple[str, ...]
    # The languages that it speaks.
    languages: tuple[str, ...] = ("zh", "en")
    # Why Opus cannot be given; None where it can.
    opus_problem: str | None = None
    # What its voices are called.
    voice_names: VoiceNames = field(default_factory=VoiceNames)
