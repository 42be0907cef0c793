"""Every message between the processes of the server, once.

On a socket a message is a 4-byte little-endian length and a msgpack map. Times are seconds, audio is 16-bit
little-endian PCM at the checkpoint's rate. The front stands between the talker and the acoustic process and passes
their messages on, so that either can be replaced while the other lives.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Literal

from rtserver.messages.codec import Codec, MessageError

MAX_MESSAGE_BYTES = 64 << 20
_LENGTH = struct.Struct("<I")

ServiceClass = Literal["realtime", "batch"]

# -- front to acoustic ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Open:
    """Opens an utterance.

    streaming: the talker layout in which speech starts before the text is complete.
    language: picks between voices of one name (male, female, default).
    max_lead_s: work stops while this much audio waits to be heard; None for no bound.
    resume: the record of the last Audio that was delivered, to go on after a crash. All text is then fed again.
    """

    utterance: str
    voice: str
    mode: str = "sft"
    language: str | None = None
    seed: int = 0
    speed: float = 1.0
    streaming: bool = False
    instruct_text: str = ""
    service_class: ServiceClass = "realtime"
    max_lead_s: float | None = None
    resume: bytes | None = None


@dataclass(frozen=True)
class Segment:
    """A clause of text as ids. The first `lead_ids` only join it to the text before, and go where a talker sequence
    begins with it; `ends_sentence` marks where one may be cut. start, end: where it stands in all characters sent;
    `text` is what stands there."""

    ids: list[int]
    lead_ids: int
    ends_sentence: bool
    start: int = 0
    end: int = 0
    text: str = ""


@dataclass(frozen=True)
class Feed:
    """Appends text to an utterance."""

    utterance: str
    segments: list[Segment]


@dataclass(frozen=True)
class Flush:
    """Text so far is spoken to its end, then Flushed comes with this id; later text begins a new sequence."""

    utterance: str
    id: str


@dataclass(frozen=True)
class End:
    """No more text for an utterance."""

    utterance: str


@dataclass(frozen=True)
class Cancel:
    """Stops an utterance: no message about it follows."""

    utterance: str


@dataclass(frozen=True)
class Heard:
    """The listener's playback position in an utterance, as it reports it."""

    utterance: str
    position_s: float


@dataclass(frozen=True)
class Hold:
    """Stops (or lets go on) the work on an utterance whose sound is not taken."""

    utterance: str
    on: bool


@dataclass(frozen=True)
class Count:
    """Asks talker or acoustic process what it holds."""


@dataclass(frozen=True)
class Counted:
    """What a process holds: everything of utterances is zero when none is open."""

    part: str
    held: dict[str, int]


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
    """The acoustic process is loaded; `load_s` seconds by part."""

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
    """Samples of an utterance; `start_s` is the position of the first one in the utterance's audio.

    tokens: speech tokens sampled so far. text_position: how many of the text ids fed (lead ids included) are spoken by
    the end of these samples, estimated. resume: what another process needs to go on behind these samples.
    """

    utterance: str
    pcm: bytes
    start_s: float
    tokens: int
    text_position: float = 0.0
    resume: bytes | None = None


@dataclass(frozen=True)
class Hungry:
    """An utterance has soon spoken all the text it has: what the reader still holds back is wanted now."""

    utterance: str


@dataclass(frozen=True)
class Flushed:
    """All audio of the text before a Flush has been delivered: `audio_s` of the utterance so far."""

    utterance: str
    id: str
    audio_s: float


@dataclass(frozen=True)
class Done:
    """An utterance is complete.

    seconds: audio; talker, flow, vocoder (compute); wall, ttfa (from its first text); text_wait (from the first text to
    the ids that the first sound needed), queue (waiting for its turn before the first sound), text_starved and underrun
    (playback that stood still for want of text, and for other reasons).
    """

    utterance: str
    text_ids: int
    speech_tokens: list[int]
    sequences: int
    truncated: bool
    seconds: dict[str, float]


@dataclass(frozen=True)
class Failed:
    """An utterance ended with an error; `code` is one of the wire's."""

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


# -- acoustic to preparer and back ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Prepare:
    """Prepare a voice of the catalogue and keep the result in the cache, where the acoustic process finds it."""

    voice: str


@dataclass(frozen=True)
class Prepared:
    """A voice is in the cache; or, with a code of the wire, it cannot be."""

    voice: str
    code: str = ""
    message: str = ""


# -- front to reader and back ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OpenText:
    """Begins an utterance's text.

    language: forced on all of it; None finds it out clause by clause. words: commit it in small groups of words instead
    of clauses. default_language: of text without letters at the very start.
    """

    utterance: str
    language: str | None = None
    words: bool = False
    default_language: str = "en"


@dataclass(frozen=True)
class Write:
    """Appends text."""

    utterance: str
    text: str


@dataclass(frozen=True)
class Mark:
    """After the text written so far: `flush` will speak it to its end, `end` too and no more comes, `commit` cuts it at
    its last certain word boundary."""

    utterance: str
    kind: Literal["flush", "end", "commit"]


@dataclass(frozen=True)
class Drop:
    """Forget an utterance's text."""

    utterance: str


@dataclass(frozen=True)
class ReaderReady:
    """The reader is loaded."""

    load_s: float


@dataclass(frozen=True)
class Read:
    """Segments that are certain now; `marks` counts the Mark messages of the utterance that are answered by now.
    unspoken: characters that have no sound, so far."""

    utterance: str
    segments: list[Segment]
    marks: int
    unspoken: dict[str, int] = field(default_factory=dict)


Message = (
    Open | Feed | Flush | End | Cancel | Heard | Hold | Count | Counted | Shutdown
    | Progress | Ready | Started | Audio | Hungry | Flushed | Done | Failed
    | Sample | Stop | TalkerReady | Tokens | Refused | Fatal
    | Prepare | Prepared | OpenText | Write | Mark | Drop | ReaderReady | Read
)  # fmt: skip

CODEC: Codec[Message] = Codec(
    (
        Open, Feed, Flush, End, Cancel, Heard, Hold, Count, Counted, Shutdown,
        Progress, Ready, Started, Audio, Hungry, Flushed, Done, Failed,
        Sample, Stop, TalkerReady, Tokens, Refused, Fatal,
        Prepare, Prepared, OpenText, Write, Mark, Drop, ReaderReady, Read,
    )
)  # fmt: skip


def encode(message: Message) -> bytes:
    """One frame."""
    body = CODEC.to_msgpack(message)
    return _LENGTH.pack(len(body)) + body


@dataclass
class FrameReader:
    """Cuts a byte stream into messages. Pure: `feed` bytes as they come."""

    buffer: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> list[Message]:
        """The messages that are complete now. Raises MessageError."""
        self.buffer += data
        messages: list[Message] = []
        while len(self.buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self.buffer)
            if length > MAX_MESSAGE_BYTES:
                raise MessageError("bad_message", f"expected at most {MAX_MESSAGE_BYTES} bytes, found {length}")
            end = _LENGTH.size + length
            if len(self.buffer) < end:
                break
            messages.append(CODEC.from_msgpack(bytes(self.buffer[_LENGTH.size : end])))
            del self.buffer[:end]
        return messages
