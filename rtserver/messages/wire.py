"""The native wire, version 1: every message between a client and the server. docs/protocol.md explains them.

Times are milliseconds of the audio of a context, unless a name says otherwise.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from rtserver.messages.codec import Codec

PROTOCOL = 1
JSON_SUBPROTOCOL = "rt.v1.json"
MSGPACK_SUBPROTOCOL = "rt.v1.msgpack"
DEFAULT_CONTEXT = "main"

Code = Literal[
    "bad_message", "unknown_field", "unknown_type", "unknown_context", "context_exists", "too_many_contexts",
    "unknown_voice", "unknown_mode", "bad_audio", "unsupported_format", "text_too_long", "message_too_big",
    "overloaded", "slow_reader", "rate_limited", "idle_timeout", "engine_lost", "shutting_down", "unauthorized",
    "internal",
]  # fmt: skip

CODES: frozenset[str] = frozenset(get_args(Code))

WarningCode = Literal["unknown_style", "unspoken", "markup"]

# -- client to server -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Start:
    """Opens a context: one stream of text to one stream of speech. With `text` and `end` it is a whole request."""

    context: str = DEFAULT_CONTEXT
    # Name or alias of a voice.
    voice: str = "default"
    # sft, zero_shot, cross_lingual, instruct or vc; a model may have only some of them.
    mode: str = "sft"
    # en, zh, or auto to find it out.
    language: str = "auto"
    # A name of rtserver.audio.formats.
    format: str = "pcm_s16le"
    # In Hz. None for the model's own, or the format's nearest to it.
    sample_rate: int | None = None
    speed: float = 1.0
    # The same seed gives the same speech. None for a random one.
    seed: int | None = None
    # How to speak, in words, for modes that take it.
    instruct_text: str = ""
    # What `prompt_audio` says.
    prompt_text: str = ""
    # A sound file with the voice to speak in.
    prompt_audio: bytes | None = None
    # A sound file whose words are said again in the voice (mode vc).
    source_audio: bytes | None = None
    # Whether `mark` messages are sent.
    marks: bool = True
    # batch: no one listens while it is made, so realtime contexts come first.
    class_: Literal["realtime", "batch"] = "realtime"
    # Seconds of audio that may be sent ahead of the listener. None for the default of the class.
    max_lead_s: float | None = None
    # Seconds that the whole speech should last; needs the whole text with the start.
    target_s: float | None = None
    # How some words are spoken: objects with `word` and one of `say`, `cmu` and `pinyin`.
    lexicon: list[dict[str, Any]] | None = None
    text: str = ""
    # Whether `text` is the whole text.
    end: bool = False
    # False: tags and brackets are plain text.
    markup: bool = True


@dataclass(frozen=True)
class Text:
    """Appends text, in pieces of any size."""

    text: str
    context: str = DEFAULT_CONTEXT


@dataclass(frozen=True)
class Flush:
    """Speaks all text so far to its end. Text after it begins a new sequence."""

    context: str = DEFAULT_CONTEXT
    # Comes back in `flushed`.
    id: str = ""


@dataclass(frozen=True)
class End:
    """No more text comes. `done` follows the last audio."""

    context: str = DEFAULT_CONTEXT


@dataclass(frozen=True)
class Cancel:
    """Stops the sound and the work of a context."""

    # None for all contexts of the socket.
    context: str | None = None
    # The length of a last frame that falls to silence. 0 for no such frame.
    fade_ms: int = 0


@dataclass(frozen=True)
class Played:
    """How much of a context the listener has heard."""

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
    """A context is open."""

    context: str
    # Id of the utterance. Unique; logs and errors name it.
    id: str
    # Number of the context in binary frames.
    stream: int
    # Full name of the voice.
    voice: str
    format: str
    # In Hz.
    sample_rate: int
    # Speech can begin after this many text ids.
    text_ids_before_audio: int
    seed: int


@dataclass(frozen=True)
class Unspoken:
    """Neighbouring characters of the text that are not spoken as written."""

    text: str
    # Characters before it, in all text sent.
    offset: int


@dataclass(frozen=True)
class Warning:
    """A part of the request will not be done. The context is spoken all the same. It comes after `started`."""

    context: str
    code: WarningCode
    message: str
    # With the code `unspoken`: what is left out. With the code `markup`: the tag.
    unspoken: list[Unspoken] | None = None


@dataclass(slots=True)  # not frozen: one is made for every frame, and making a frozen one takes five times as long
class Audio:
    """Sound of a context.

    On the JSON subprotocol it is a binary frame: stream, seq, start_ms as little-endian u32, then the data. On the
    msgpack subprotocol it is a map without `stream`.
    """

    context: str
    # Counts the frames of the context from 0.
    seq: int
    # Position of the first sample in the context's audio.
    start_ms: int
    data: bytes
    stream: int | None = None


@dataclass(frozen=True)
class Mark:
    """When a word is heard."""

    context: str
    # The word.
    text: str
    # Characters before it, in all text sent to the context.
    offset: int
    start_ms: int
    end_ms: int
    # Whether the times are estimates.
    estimated: bool


@dataclass(frozen=True)
class Flushed:
    """All audio of the text before a `flush` has been sent."""

    context: str
    # The id of the `flush`.
    id: str
    # Audio of the context so far.
    audio_ms: int


@dataclass(frozen=True)
class Done:
    """A context is complete."""

    context: str
    # Length of all its audio.
    audio_ms: int
    # characters, text_ids, speech_tokens.
    usage: dict[str, int]
    # In ms: text_wait, queue, talker, flow, vocoder, encode, ttfa_from_text, ttfa_from_start.
    timings: dict[str, float]
    # For how long playback stood still because text was missing.
    text_starved_ms: int
    # The speed that was chosen to reach `target_s`.
    speed: float | None = None
    # How much of its own earlier sound the model could see, if memory did not suffice for all of it.
    window_ms: int | None = None


@dataclass(frozen=True)
class Cancelled:
    """The last message of a cancelled context."""

    context: str
    # Audio that was sent.
    sent_ms: int
    # Audio that the listener had heard.
    heard_ms: int
    # reported: the client's `played` messages say so. estimated: from the time since the audio was sent.
    heard_from: Literal["reported", "estimated"]
    # The text whose audio was sent.
    text_sent: str
    # The text that the listener had heard.
    text_heard: str


@dataclass(frozen=True)
class Error:
    """What went wrong. The socket stays open."""

    code: Code
    message: str
    # Whether the same request may succeed later.
    retryable: bool = False
    # This context is over, or was not opened. None for an error that is about no context.
    context: str | None = None
    # When to try again.
    retry_after_ms: int | None = None
    # Of the utterance; where there was none yet, of this error alone.
    id: str | None = None


@dataclass(frozen=True)
class Pong:
    """The answer to `ping`."""

    id: str


ServerMessage = Ready | Started | Warning | Audio | Mark | Flushed | Done | Cancelled | Error | Pong


def _wire_name(cls: type[object]) -> str:
    return cls.__name__.lower()


CLIENT: Codec[ClientMessage] = Codec((Start, Text, Flush, End, Cancel, Played, Ping), _wire_name, from_strangers=True)
SERVER: Codec[ServerMessage] = Codec(
    (Ready, Started, Warning, Audio, Mark, Flushed, Done, Cancelled, Error, Pong), _wire_name
)

# -- audio in binary frames of the JSON subprotocol -----------------------------------------------------------------

AUDIO_HEADER = struct.Struct("<III")


def pack_audio(audio: Audio) -> bytes:
    """The binary frame of an Audio message. Its `stream` must be set."""
    return AUDIO_HEADER.pack(audio.stream, audio.seq, audio.start_ms) + audio.data


def without_stream(message: ServerMessage) -> ServerMessage:
    """The message for the msgpack subprotocol, where audio names its context instead of its stream."""
    return replace(message, stream=None) if isinstance(message, Audio) else message


def unpack_audio(frame: bytes) -> tuple[int, int, int, bytes]:
    """stream, seq, start_ms and payload of a binary frame. Raises ValueError when it is too short."""
    if len(frame) < AUDIO_HEADER.size:
        raise ValueError(f"expected an audio frame of at least {AUDIO_HEADER.size} bytes, found {len(frame)}")
    stream, seq, start_ms = AUDIO_HEADER.unpack_from(frame)
    return stream, seq, start_ms, frame[AUDIO_HEADER.size :]
