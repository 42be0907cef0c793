"""Every message between the processes of the server, once, and the codec that carries them.

A message is a frozen dataclass; on a socket it is a 4-byte little-endian length and a msgpack map whose `type` is the
class's name. Times are seconds, audio is 16-bit little-endian PCM at the checkpoint's rate.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import msgpack

MAX_MESSAGE_BYTES = 64 << 20
_LENGTH = struct.Struct("<I")


class MessageError(ValueError):
    """A frame that is no message of ours."""


# -- front to acoustic ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Open:
    """Opens an utterance. `streaming` chooses the talker layout in which speech starts before the text is complete.
    `language` picks between voices of one name (male, female); `instruct_text` as the mode wants it."""

    utterance: str
    voice: str
    mode: str = "sft"
    language: str | None = None
    seed: int = 0
    speed: float = 1.0
    streaming: bool = False
    instruct_text: str = ""


@dataclass(frozen=True)
class Segment:
    """A clause of text as ids. The first `lead_ids` only join it to the text before, and go where a talker sequence
    begins with it; `ends_sentence` marks where one may be cut."""

    ids: list[int]
    lead_ids: int
    ends_sentence: bool


@dataclass(frozen=True)
class Feed:
    """Appends text to an utterance."""

    utterance: str
    segments: list[Segment]


@dataclass(frozen=True)
class End:
    """No more text for an utterance."""

    utterance: str


@dataclass(frozen=True)
class Cancel:
    """Stops an utterance: no message about it follows."""

    utterance: str


@dataclass(frozen=True)
class Shutdown:
    """Asks a process to end."""


# -- acoustic to front ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Progress:
    """What a starting process is doing."""

    part: str
    text: str


@dataclass(frozen=True)
class Ready:
    """All parts are loaded; `load_s` seconds by part."""

    model: str
    sample_rate: int
    voices: list[str]
    load_s: dict[str, float]


@dataclass(frozen=True)
class Started:
    """An utterance was accepted. Bistream speaks once `text_ids_before_audio` text ids have come."""

    utterance: str
    voice: str
    text_ids_before_audio: int


@dataclass(frozen=True)
class Audio:
    """Samples of an utterance; `start_s` is the position of the first one in the utterance's audio."""

    utterance: str
    pcm: bytes
    start_s: float
    tokens: int


@dataclass(frozen=True)
class Done:
    """An utterance is complete. `seconds` holds durations: audio, talker, flow, vocoder, wall, ttfa."""

    utterance: str
    text_ids: int
    speech_tokens: list[int]
    sequences: int
    truncated: bool
    seconds: dict[str, float]


@dataclass(frozen=True)
class Failed:
    """An utterance ended with an error."""

    utterance: str
    code: str
    message: str


# -- acoustic to talker and back ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sample:
    """Sample one quantum; see cosyvoice.talker.layout.Quantum."""

    request: str
    ids: list[int]
    max_tokens: int
    min_tokens: int
    stage: str
    history: list[int]
    seed: int


@dataclass(frozen=True)
class Stop:
    """Forget a quantum."""

    request: str


@dataclass(frozen=True)
class TalkerReady:
    """The talker accepts quanta of sequences of at most `max_ids` ids."""

    max_ids: int
    load_s: float


@dataclass(frozen=True)
class Tokens:
    """A finished quantum: the sampled ids, a closing control id included."""

    request: str
    ids: list[int]
    compute_s: float


@dataclass(frozen=True)
class Refused:
    """A quantum the talker cannot run."""

    request: str
    message: str


@dataclass(frozen=True)
class Fatal:
    """A process could not start or cannot go on; its exit follows."""

    part: str
    message: str


Message = (
    Open | Feed | End | Cancel | Shutdown | Progress | Ready | Started | Audio | Done | Failed
    | Sample | Stop | TalkerReady | Tokens | Refused | Fatal
)  # fmt: skip

_TYPES: dict[str, type[Any]] = {
    cls.__name__: cls
    for cls in (
        Open, Feed, End, Cancel, Shutdown, Progress, Ready, Started, Audio, Done, Failed,
        Sample, Stop, TalkerReady, Tokens, Refused, Fatal,
    )
}  # fmt: skip


def encode(message: Message) -> bytes:
    """One frame."""
    body: bytes = msgpack.packb({"type": type(message).__name__, **_plain(message)}, use_bin_type=True)
    return _LENGTH.pack(len(body)) + body


def decode_body(body: bytes) -> Message:
    """The message in a frame's body. Raises MessageError."""
    try:
        raw = msgpack.unpackb(body, raw=False)
        cls = _TYPES[raw.pop("type")]
        if cls is Feed:
            raw["segments"] = [Segment(**segment) for segment in raw["segments"]]
        message: Message = cls(**raw)
    except (ValueError, KeyError, TypeError, AttributeError, msgpack.exceptions.UnpackException) as error:
        raise MessageError(f"expected a message of the engine, found {body[:40]!r}: {error}") from error
    return message


@dataclass
class FrameReader:
    """Cuts a byte stream into messages. Pure: `feed` bytes as they come."""

    buffer: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> list[Message]:
        self.buffer += data
        messages: list[Message] = []
        while len(self.buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self.buffer)
            if length > MAX_MESSAGE_BYTES:
                raise MessageError(f"expected at most {MAX_MESSAGE_BYTES} bytes in a frame, found {length}")
            end = _LENGTH.size + length
            if len(self.buffer) < end:
                break
            messages.append(decode_body(bytes(self.buffer[_LENGTH.size : end])))
            del self.buffer[:end]
        return messages


def _plain(message: Any) -> dict[str, Any]:
    """A shallow dict (dataclasses.asdict would copy every list of ids)."""
    result = {}
    for f in fields(message):
        value = getattr(message, f.name)
        if isinstance(value, list) and value and is_dataclass(value[0]):
            value = [_plain(v) for v in value]
        result[f.name] = value
    return result
