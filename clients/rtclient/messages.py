"""The messages of the server, as values. Fields that only a newer server knows are ignored."""

from __future__ import annotations

import base64
import dataclasses
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgpack

_AUDIO_HEADER = struct.Struct("<III")
T = TypeVar("T")


@dataclass(frozen=True)
class Info:
    """The server's first message."""

    protocol: int
    server: str
    model: str
    # In Hz.
    sample_rate: int
    # How many voices there are.
    voices: int
    # The server's limits for one client, by name.
    limits: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Started:
    """A speech was accepted."""

    context: str
    # Full name of the voice.
    voice: str
    # In Hz.
    sample_rate: int
    # The same seed gives the same speech again.
    seed: int
    stream: int = 0
    # Speech can begin after this many text ids.
    text_ids_before_audio: int = 0
    format: str = "pcm_s16le"
    # Its name in the server's logs.
    id: str = ""


@dataclass(frozen=True)
class SpeechWarning:
    """A part of the request will not be done. The text is spoken all the same."""

    # A warning code of the wire.
    code: str
    message: str
    # With the code `unspoken`: what is left out of the speech, each with `text` and `offset`, the characters before it.
    # With the code `markup`: the tag that is not obeyed as written.
    unspoken: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Audio:
    """A piece of sound."""

    # Counts from 0.
    seq: int
    # Position of the first sample in the speech.
    start_ms: int
    # 16-bit little-endian mono samples.
    pcm: bytes


@dataclass(frozen=True)
class Mark:
    """When a word is heard."""

    # The word.
    text: str
    # Characters before it, in all text sent.
    offset: int
    start_ms: int
    end_ms: int
    # Whether the times are estimates.
    estimated: bool = True


@dataclass(frozen=True)
class Flushed:
    """All audio of the text before a flush has come."""

    # The id of the flush.
    id: str
    # Audio of the speech so far.
    audio_ms: int


@dataclass(frozen=True)
class Done:
    """A speech is complete."""

    # Length of all its audio.
    audio_ms: int
    # Counts by name.
    usage: dict[str, int] = field(default_factory=dict)
    # Milliseconds by name.
    timings: dict[str, float] = field(default_factory=dict)
    # For how long playback stood still because text was missing.
    text_starved_ms: int = 0
    # The speed that was chosen to reach `target_s`.
    speed: float | None = None


@dataclass(frozen=True)
class Cancelled:
    """The end of a cancelled speech."""

    # Audio that was sent.
    sent_ms: int
    # Audio that the listener had heard.
    heard_ms: int
    # reported: from `Speech.played`. estimated: from the time since the audio was sent.
    heard_from: str = "estimated"
    # The text whose audio was sent.
    text_sent: str = ""
    # The text that the listener had heard.
    text_heard: str = ""


def build(cls: type[T], message: Mapping[str, Any]) -> T:
    """A value from the fields that `cls` has; others are ignored. Raises ValueError when one is missing."""
    known = {f.name: message[f.name] for f in dataclasses.fields(cls) if f.name in message}  # type: ignore[arg-type]
    try:
        return cls(**known)
    except TypeError as error:
        raise ValueError(f"{message.get('type')}: {error}") from error


def encode(message: Mapping[str, Any], *, packed: bool) -> str | bytes:
    """A client message as msgpack (`packed`) or JSON. Fields that are None are left out. Bytes in JSON are base64."""
    fields = {key: value for key, value in message.items() if value is not None}
    if packed:
        data: bytes = msgpack.packb(fields)
        return data
    return json.dumps(fields, ensure_ascii=False, default=_base64)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def decode(data: str | bytes, *, packed: bool) -> dict[str, Any]:
    """A server message as a map. Audio of the JSON form has `stream` in place of `context`. Raises ValueError."""
    if packed:
        message = msgpack.unpackb(data)
    elif isinstance(data, bytes):
        if len(data) < _AUDIO_HEADER.size:
            raise ValueError(f"expected an audio frame, found {len(data)} bytes")
        stream, seq, start_ms = _AUDIO_HEADER.unpack_from(data)
        message = {"type": "audio", "stream": stream, "seq": seq, "start_ms": start_ms}
        message["data"] = data[_AUDIO_HEADER.size :]
    else:
        message = json.loads(data)
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise ValueError(f"expected a message with a type, found {str(message)[:80]}")
    return message
