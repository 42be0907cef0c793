"""What an engine is asked for and what it answers: the messages between the front and the acoustic process.

Times are seconds, audio is 16-bit little-endian PCM at the rate of the checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from rtserver.ipc.preparing import Recording
from rtserver.ipc.reading import Segment

ServiceClass = Literal["realtime", "batch"]


@dataclass(frozen=True)
class Open:
    """Opens an utterance."""

    # Unique for ever, not only among those that are open: a late message of a process about an utterance that is over
    # must not be taken for one about a new utterance.
    utterance: str
    # A name of the catalogue.
    voice: str
    mode: str = "sft"
    # Picks between voices of one name (male, female, default).
    language: str | None = None
    seed: int = 0
    speed: float = 1.0
    # The talker layout in which speech starts before the text is complete.
    streaming: bool = False
    instruct_text: str = ""
    service_class: ServiceClass = "realtime"
    # Work stops while this much audio waits to be heard. None: no bound.
    max_lead_s: float | None = None
    # The record of the last Audio that was delivered, to go on after a crash. All text is then fed again.
    resume: bytes | None = None
    # The voice is this recording, not one of the catalogue. Mode sft then means zero_shot, or cross_lingual without
    # prompt_text.
    prompt_audio: Recording | None = None
    # What prompt_audio says.
    prompt_text: str = ""
    # What mode vc says again in the voice. It takes no text, and ends by itself.
    source_audio: Recording | None = None
    # The speech tokens of source_audio, once they are known.
    source_pieces: list[list[int]] | None = None
    # How long the whole is to sound, within the bounds of speed. Then `speed` has no effect, sound begins when all
    # speech tokens are there, and text must not be streaming.
    target_s: float | None = None
    # Whose utterance it is, for a fair share.
    tenant: str = ""
    # Of the conversation that it belongs to. Empty for none.
    reservation: str = ""


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
class VoiceInfo:
    """A voice of the catalogue."""

    name: str
    aliases: list[str] = field(default_factory=list)
    language: str | None = None
    gender: str | None = None


@dataclass(frozen=True)
class Ready:
    """The acoustic process is loaded."""

    model: str
    sample_rate: int
    # Their names.
    voices: list[str]
    # How long the start took, by part.
    load_s: dict[str, float]
    # What the checkpoint can do.
    modes: list[str] = field(default_factory=list)
    # Whether a recording can be a voice.
    clones: bool = False
    # The GPU's name. None on a CPU.
    gpu: str | None = None
    # Of all `voices`, in their order.
    voice_details: list[VoiceInfo] = field(default_factory=list)
    # Speech tokens of the first hop.
    first_hop_tokens: int = 0


@dataclass(frozen=True)
class Started:
    """An utterance was accepted."""

    utterance: str
    # The full name, or `recording`.
    voice: str
    # A streaming utterance speaks once so many text ids have come.
    text_ids_before_audio: int
    # An instruction that is not followed, and why. Empty for none.
    warning: str = ""


@dataclass(frozen=True)
class Audio:
    """Samples of an utterance."""

    utterance: str
    pcm: bytes
    # Where the first sample is in the utterance's audio.
    start_s: float
    # Speech tokens sampled so far.
    tokens: int
    # How many of the text ids fed (lead ids included) are spoken by the end of these samples, estimated.
    text_position: float = 0.0
    # What another process needs to go on after these samples.
    resume: bytes | None = None
    first_id: int = 0
    # When the text ids from `first_id` on begin, in seconds of the utterance's audio: those that begin in these samples
    # or were not told before. None: not known, use `text_position`.
    id_starts_s: list[float] | None = None


@dataclass(frozen=True)
class Hungry:
    """An utterance has soon spoken all the text it has: it needs now what the reader still holds back."""

    utterance: str


@dataclass(frozen=True)
class Flushed:
    """All audio of the text before a Flush has been delivered: `audio_s` of the utterance so far."""

    utterance: str
    id: str
    audio_s: float


@dataclass(frozen=True)
class Done:
    """An utterance is complete."""

    utterance: str
    text_ids: int
    speech_tokens: list[int]
    sequences: int
    truncated: bool
    # audio: of the sound. talker, flow, vocoder: compute. wall, ttfa: from its first text.
    # text_wait: from the first text to the ids that the first sound needed.
    # queue: waiting for its turn before the first sound.
    # text_starved, underrun: playback that stood still for want of text, and for other reasons.
    # prepare: when a voice or a source had to be prepared first.
    # target, speed: when a length was asked for, that length and the speed used for it.
    seconds: dict[str, float]
    # The flow saw so much of what it had said, for want of memory. None: all of it.
    window_s: float | None = None


@dataclass(frozen=True)
class Failed:
    """An utterance ended with an error."""

    utterance: str
    # One of the wire's.
    code: str
    message: str
    # When to try again, if known.
    retry_after_s: float | None = None


@dataclass(frozen=True)
class Load:
    """What the acoustic process has to do and what that takes. It sends this a few times a second while it works, and
    once when it has nothing left."""

    # Open utterances.
    utterances: int
    # Hops that could run now.
    waiting_hops: int
    # Since the process started: Euler steps, and hops summed over the steps.
    steps: int
    rows: int
    # Since the process started: sound made, and the work for it.
    audio_s: float
    flow_s: float
    vocoder_s: float
    # Sound that each realtime listener who hears something has left, except those that only wait for text.
    slack_s: list[float]
    # Predicted seconds of the acoustic device for a hop while several are spoken, and the sound that a hop gave lately.
    hop_s: float
    hop_audio_s: float
    # Predicted: a first hop; 1, 2, 4... hops that share their steps; a first hop's tokens at the talker, busy as now.
    first_hop_s: float
    hops_s: list[float]
    first_quantum_s: float
    # Memory for keys and values: of streams, of voices, free, and what another stream takes at least.
    kv_stream_bytes: int
    kv_voice_bytes: int
    kv_free_bytes: int
    kv_reserve_bytes: int
