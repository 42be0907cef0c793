"""What the server says, as values. Fields that a newer server adds are passed over."""

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
    """The server's greeting. `limits` are its own words."""

    protocol: int
    server: str
    model: str
    sample_rate: int
    voices: int
    limits: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Started:
    """A speech was accepted. `seed` gives the same take again. `id` is its name in the server's logs."""

    context: str
    voice: str
    sample_rate: int
    seed: int
    stream: int = 0
    text_ids_before_audio: int = 0
    format: str = "pcm_s16le"
    id: str = ""


@dataclass(frozen=True)
class SpeechWarning:
    """What a speech does not do of what it was asked for; it is spoken all the same. `code` is one of the wire's."""

    code: str
    message: str


@dataclass(frozen=True)
class Audio:
    """16-bit little-endian mono samples; `start_ms` is the position of the first one in the speech."""

    seq: int
    start_ms: int
    pcm: bytes


@dataclass(frozen=True)
class Mark:
    """When a word is heard. `offset` counts characters in all text sent."""

    text: str
    offset: int
    start_ms: int
    end_ms: int
    estimated: bool = True


@dataclass(frozen=True)
class Flushed:
    """All audio of the text before a flush has come."""

    id: str
    audio_ms: int


@dataclass(frozen=True)
class Done:
    """A speech is complete. Timings are milliseconds."""

    audio_ms: int
    usage: dict[str, int] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)
    text_starved_ms: int = 0


@dataclass(frozen=True)
class Cancelled:
    """The end of a cancelled speech: what was sent of it, and what the listener had heard ("reported" by `played`, or
    "estimated" from real time)."""

    sent_ms: int
    heard_ms: int
    heard_from: str = "estimated"
    text_sent: str = ""
    text_heard: str = ""


def build(cls: type[T], message: Mapping[str, Any]) -> T:
    """The fields that `cls` knows. Raises ValueError when one is missing."""
    known = {f.name: message[f.name] for f in dataclasses.fields(cls) if f.name in message}  # type: ignore[arg-type]
    try:
        return cls(**known)
    except TypeError as error:
        raise ValueError(f"{message.get('type')}: {error}") from error


def encode(message: Mapping[str, Any], *, packed: bool) -> str | bytes:
    """A client message; fields that are None are left out, and JSON has bytes in base64."""
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
