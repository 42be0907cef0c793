"""The native wire, version 1: every message between a client and the server, once. docs/protocol.md explains it.

Times are milliseconds of a context's audio unless a name says otherwise.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import Literal, get_args

from rtserver.messages.codec import Codec

PROTOCOL = 1
JSON_SUBPROTOCOL = "rt.v1.json"
MSGPACK_SUBPROTOCOL = "rt.v1.msgpack"
DEFAULT_CONTEXT = "main"

Code = Literal[
    "bad_message", "unknown_field", "unknown_type", "unknown_context", "context_exists", "too_many_contexts",
    "unknown_voice", "unknown_mode", "bad_audio", "unsupported_format", "text_too_long", "message_too_big",
    "overloaded", "slow_reader", "idle_timeout", "engine_lost", "shutting_down", "unauthorized", "internal",
]  # fmt: skip

CODES: frozenset[str] = frozenset(get_args(Code))

WarningCode = Literal["unknown_style"]

# -- client to server -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Start:
    """Opens a context: one stream of text to one stream of speech. With `text` and `end` it is a whole request."""

    context: str = DEFAULT_CONTEXT
    voice: str = "default"
    mode: str = "sft"
    language: str = "auto"
    format: str = "pcm_s16le"
    sample_rate: int | None = None
    speed: float = 1.0
    seed: int | None = None
    instruct_text: str = ""
    prompt_text: str = ""
    prompt_audio: bytes | None = None
    source_audio: bytes | None = None
    marks: bool = True
    class_: Literal["realtime", "batch"] = "realtime"
    max_lead_s: float | None = None
    target_s: float | None = None
    text: str = ""
    end: bool = False


@dataclass(frozen=True)
class Text:
    """Appends text, at any granularity."""

    text: str
    context: str = DEFAULT_CONTEXT


@dataclass(frozen=True)
class Flush:
    """All text so far will be spoken to its end; text after it begins a new sequence. `id` comes back in `flushed`."""

    context: str = DEFAULT_CONTEXT
    id: str = ""


@dataclass(frozen=True)
class End:
    """No more text; `done` follows the last audio."""

    context: str = DEFAULT_CONTEXT


@dataclass(frozen=True)
class Cancel:
    """Stops sound and work of a context, or of all (None)."""

    context: str | None = None


@dataclass(frozen=True)
class Played:
    """How far the listener has heard a context."""

    ms: float
    context: str = DEFAULT_CONTEXT


@dataclass(frozen=True)
class Ping:
    """Answered by `pong`."""

    id: str = ""


ClientMessage = Start | Text | Flush | End | Cancel | Played | Ping

# -- server to client -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ready:
    """The first message on every socket."""

    protocol: int
    server: str
    model: str
    sample_rate: int
    voices: int
    limits: dict[str, float]


@dataclass(frozen=True)
class Started:
    """A context is open. `id` is the utterance's own for ever, in all logs and errors; `stream` stands for the context
    in binary frames; speech can begin after `text_ids_before_audio` text ids."""

    context: str
    id: str
    stream: int
    voice: str
    format: str
    sample_rate: int
    text_ids_before_audio: int
    seed: int


@dataclass(frozen=True)
class Warning:
    """What a context does not do of what it was asked for: it is spoken all the same. Behind `started`."""

    context: str
    code: WarningCode
    message: str


@dataclass(frozen=True)
class Audio:
    """Sound of a context. On the JSON subprotocol it is a binary frame: stream, seq, start_ms as little-endian u32,
    then the payload; on msgpack a map without `stream`."""

    context: str
    seq: int
    start_ms: int
    data: bytes
    stream: int | None = None


@dataclass(frozen=True)
class Mark:
    """When a word is heard. `offset` counts characters in all text sent to the context."""

    context: str
    text: str
    offset: int
    start_ms: int
    end_ms: int
    estimated: bool


@dataclass(frozen=True)
class Flushed:
    """All audio of the text before a `flush` has been sent; `audio_ms` is the context's audio so far."""

    context: str
    id: str
    audio_ms: int


@dataclass(frozen=True)
class Done:
    """A context is complete. timings: text_wait, queue, talker, flow, vocoder, encode, ttfa_from_text, ttfa_from_start
    in ms. usage: characters, text_ids, speech_tokens. speed: that was chosen to last `target_s`.
    window_ms: how much of its own sound the model saw, where memory was too short for all of it."""

    context: str
    audio_ms: int
    usage: dict[str, int]
    timings: dict[str, float]
    text_starved_ms: int
    speed: float | None = None
    window_ms: int | None = None


@dataclass(frozen=True)
class Cancelled:
    """The last message of a cancelled context. `text_sent` is the text whose audio was sent, `text_heard` what the
    listener had heard of it."""

    context: str
    sent_ms: int
    heard_ms: int
    heard_from: Literal["reported", "estimated"]
    text_sent: str
    text_heard: str


@dataclass(frozen=True)
class Error:
    """What went wrong. With a `context` that context is over (or was not opened); the socket lives on. `id` is the
    utterance's, or the error's own where there was none yet."""

    code: Code
    message: str
    retryable: bool = False
    context: str | None = None
    retry_after_ms: int | None = None
    id: str | None = None


@dataclass(frozen=True)
class Pong:
    """The answer to `ping`."""

    id: str


ServerMessage = Ready | Started | Warning | Audio | Mark | Flushed | Done | Cancelled | Error | Pong


def _wire_name(cls: type[object]) -> str:
    return cls.__name__.lower()


CLIENT: Codec[ClientMessage] = Codec((Start, Text, Flush, End, Cancel, Played, Ping), _wire_name)
SERVER: Codec[ServerMessage] = Codec(
    (Ready, Started, Warning, Audio, Mark, Flushed, Done, Cancelled, Error, Pong), _wire_name
)

# -- audio in binary frames of the JSON subprotocol -----------------------------------------------------------------

AUDIO_HEADER = struct.Struct("<III")


def pack_audio(audio: Audio) -> bytes:
    """The binary frame of an Audio message that has its stream."""
    return AUDIO_HEADER.pack(audio.stream, audio.seq, audio.start_ms) + audio.data


def without_stream(message: ServerMessage) -> ServerMessage:
    """As it stands on the msgpack subprotocol, where audio names its context."""
    return replace(message, stream=None) if isinstance(message, Audio) else message


def unpack_audio(frame: bytes) -> tuple[int, int, int, bytes]:
    """stream, seq, start_ms and payload of a binary frame. Raises ValueError when it is too short."""
    if len(frame) < AUDIO_HEADER.size:
        raise ValueError(f"expected an audio frame of at least {AUDIO_HEADER.size} bytes, found {len(frame)}")
    stream, seq, start_ms = AUDIO_HEADER.unpack_from(frame)
    return stream, seq, start_ms, frame[AUDIO_HEADER.size :]
