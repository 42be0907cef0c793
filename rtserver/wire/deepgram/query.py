"""What the query of a request to Deepgram's `speak` asks for. Its voice, format and speed hold for a whole socket."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cosyvoice.config import MAX_SPEED, MIN_SPEED
from rtserver.audio.formats import FormatError, SoundFormat, check_format
from rtserver.session.start_request import RequestError
from rtserver.session.voice_names import VoiceNames
from rtserver.wire.languages import asked_language

# Encodings on a socket, which has no containers.
_ON_A_SOCKET = {"linear16": "pcm_s16le", "mulaw": "ulaw", "alaw": "alaw"}
# Encodings of a whole file, each with its containers. The first container is the default.
_IN_A_FILE = {
    "linear16": {"wav": "wav", "none": "pcm_s16le"},
    "mulaw": {"none": "ulaw"},
    "alaw": {"none": "alaw"},
    "mp3": {"none": "mp3"},
    # LiveKit asks for `none`, and can read Ogg.
    "opus": {"ogg": "ogg_opus", "none": "ogg_opus"},
    "flac": {"none": "flac"},
    "aac": {"none": "aac"},
}
# The language is the end of a voice's name: aura-2-thalia-en.
_LANGUAGE = re.compile(r"(?:aura|flux)-.+-([a-z]{2})")


@dataclass(frozen=True)
class SpeakQuery:
    """What is asked for, and can be given."""

    # The voice, as the client names it.
    model: str
    # How speech is sent.
    sound: SoundFormat
    speed: float
    # For a `start`.
    language: str


@dataclass(frozen=True)
class SpeakOffer:
    """What this server can give."""

    # The rate of the model's sound, in Hz.
    sample_rate: int
    # The languages that it speaks.
    languages: Sequence[str]
    # The voices that it knows.
    voices: VoiceNames

    def on_a_socket(self, query: Mapping[str, str]) -> SpeakQuery:
        """Raises RequestError."""
        encoding = query.get("encoding", "linear16")
        if encoding not in _ON_A_SOCKET:
            raise _unexpected("encoding", _ON_A_SOCKET, encoding)
        return self._asked(query, _ON_A_SOCKET[encoding])

    def in_a_file(self, query: Mapping[str, str]) -> SpeakQuery:
        """Raises RequestError."""
        if "callback" in query:
            raise RequestError("bad_message", "callback: expected none, found one: speech is in the answer")
        encoding = query.get("encoding", "mp3")
        containers = _IN_A_FILE.get(encoding)
        if containers is None:
            raise _unexpected("encoding", _IN_A_FILE, encoding)
        container = query.get("container", next(iter(containers)))
        if container not in containers:
            raise _unexpected(f"container of {encoding}", containers, container)
        return self._asked(query, containers[container])

    def _asked(self, query: Mapping[str, str], format_name: str) -> SpeakQuery:
        model = query.get("model", "default")
        if not self.voices.knows(model):
            what = "expected a voice of this server (GET /v1/voices), or one of Deepgram's as aura-2-thalia-en"
            raise RequestError("unknown_voice", f"model: {what}, found {model[:60]!r:.60}")
        rate_hz = query.get("sample_rate")
        if rate_hz is not None and not (rate_hz.isascii() and rate_hz.isdigit() and len(rate_hz) < 9):
            raise RequestError("bad_message", f"sample_rate: expected a number of Hz, found {rate_hz[:20]!r:.20}")
        try:
            sound = check_format(format_name, None if rate_hz is None else int(rate_hz), self.sample_rate)
        except FormatError as error:
            raise RequestError("unsupported_format", str(error)) from error
        return SpeakQuery(model, sound, _speed(query.get("speed", "1")), self._language(model))

    def _language(self, model: str) -> str:
        found = _LANGUAGE.fullmatch(model)
        return asked_language(None if found is None else found[1], self.languages)


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = float("nan")
    if not MIN_SPEED <= speed <= MAX_SPEED:  # NaN fails too
        raise RequestError("bad_message", f"speed: expected {MIN_SPEED} to {MAX_SPEED}, found {text[:20]!r:.20}")
    return speed


def _unexpected(name: str, known: Mapping[str, object], found: str) -> RequestError:
    return RequestError("unsupported_format", f"{name}: expected one of {', '.join(known)}, found {found[:40]!r:.40}")
