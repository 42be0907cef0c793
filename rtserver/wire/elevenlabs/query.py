"""What the path and the query of a request to ElevenLabs ask for. On a socket it holds for all contexts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rtserver.audio.formats import FormatError, SoundFormat, check_format
from rtserver.session.start_request import RequestError
from rtserver.session.voice_names import VoiceNames

DEFAULT_OUTPUT_FORMAT = "mp3_44100_128"
# The least, the usual and the largest `inactivity_timeout`, in seconds.
_LEAST_INACTIVITY_S, _USUAL_INACTIVITY_S, _MOST_INACTIVITY_S = 1.0, 20.0, 180.0
# The first part of an output format, as pcm of pcm_24000. Opus is in Ogg.
_CODECS = {"pcm": "pcm_s16le", "mp3": "mp3", "opus": "ogg_opus", "ulaw": "ulaw", "alaw": "alaw", "wav": "wav"}


@dataclass(frozen=True)
class SpeechQuery:
    """What is asked for, and can be given."""

    # The voice, as the client names it.
    voice: str
    # How speech is sent.
    sound: SoundFormat
    # For a `start`.
    language: str
    # Whether each message with text is a whole phrase, to be spoken at once.
    auto_mode: bool
    # Whether the times of characters count from the beginning of the context. Else from the end of the ones before.
    sync_alignment: bool
    # A context gets text or speaks within so many seconds, or it is closed.
    inactivity_s: float


@dataclass(frozen=True)
class SpeechOffer:
    """What this server can give."""

    # The rate of the model's sound, in Hz.
    sample_rate: int
    # The languages that it speaks.
    languages: Sequence[str]
    # The voices that it knows.
    voices: VoiceNames

    def asked(self, voice: str, query: Mapping[str, str], language_code: str | None = None) -> SpeechQuery:
        """`language_code`: of a body; on a socket it is in the query. Raises RequestError."""
        if not self.voices.knows(voice):
            what = "expected a voice of this server (GET /v1/voices), or one of ElevenLabs' as 21m00Tcm4TlvDq8ikWAM"
            raise RequestError("unknown_voice", f"voice_id: {what}, found {voice[:60]!r:.60}")
        return SpeechQuery(
            voice,
            self._sound(query.get("output_format", DEFAULT_OUTPUT_FORMAT)),
            self._language(language_code or query.get("language_code")),
            auto_mode=query.get("auto_mode", "").lower() == "true",
            sync_alignment=query.get("sync_alignment", "").lower() == "true",
            inactivity_s=_inactivity_s(query.get("inactivity_timeout")),
        )

    def _sound(self, output_format: str) -> SoundFormat:
        """The bit rate at its end is not heeded: each format has its own here."""
        codec, rate_hz, *_ = [*output_format.split("_"), ""]
        if codec not in _CODECS or not (rate_hz.isascii() and rate_hz.isdigit() and len(rate_hz) < 9):
            what = f"one of {', '.join(_CODECS)} with a rate, as pcm_24000 or mp3_44100_128"
            raise RequestError(
                "unsupported_format", f"output_format: expected {what}, found {output_format[:40]!r:.40}"
            )
        try:
            return check_format(_CODECS[codec], int(rate_hz), self.sample_rate)
        except FormatError as error:
            raise RequestError("unsupported_format", f"output_format: {error}") from error

    def _language(self, code: str | None) -> str:
        if not code:
            return "auto"
        language = code.lower().replace("_", "-").partition("-")[0]
        if language not in self.languages:
            what = f"expected one of {', '.join(self.languages)}, or none"
            raise RequestError("bad_message", f"language_code: {what}, found {code[:20]!r:.20}")
        return language


def _inactivity_s(found: str | None) -> float:
    """Above the largest, the largest is taken: a client that asks for more may wait long."""
    if not found:
        return _USUAL_INACTIVITY_S
    try:
        asked_s = float(found)
    except ValueError:
        asked_s = math.nan
    if not asked_s >= _LEAST_INACTIVITY_S:
        what = f"expected seconds from {_LEAST_INACTIVITY_S:g} to {_MOST_INACTIVITY_S:g}, found {found[:20]!r:.20}"
        raise RequestError("bad_message", f"inactivity_timeout: {what}")
    return min(asked_s, _MOST_INACTIVITY_S)
