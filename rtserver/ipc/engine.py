"""What an engine is asked for and what it answers, once: the messages between the front and the acoustic process.

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
    """Opens an utterance.

    utterance: unique for ever, not only among those that are open: a late message of a process about an utterance that
    is over must not be taken for one about a new utterance.
    voice: a name of the catalogue; `language` picks between voices of one name (male, female, default).
    prompt_audio: the voice is this recording instead, and `prompt_text` what it says. Mode sft then means zero_shot,
    or cross_lingual without prompt_text.
    source_audio: what mode vc says again in the voice; it takes no text, and ends by itself.
    source_pieces: its speech tokens, once they are known.
    streaming: the talker layout in which speech starts before the text is complete.
    target_s: how long the whole is to sound, within the bounds of speed: then `speed` is not heeded, sound begins when
    all speech tokens are there, and text must not be streaming.
    max_lead_s: work stops while this much audio waits to be heard; None for no bound.
    tenant: whose utterance it is, for a fair share. reservation: of the conversation that it belongs to, if any.
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
    prompt_audio: Recording | None = None
    prompt_text: str = ""
    source_audio: Recording | None = None
    source_pieces: list[list[int]] | None = None
    target_s: float | None = None
    tenant: str = ""
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
    """The acoustic process is loaded; `load_s` seconds by part. modes: what the checkpoint can do. clones: whether a
    recording can be a voice. gpu: its name, None on a CPU. voice_details: of all `voices`, in their order.
    first_hop_tokens: speech tokens of the first hop."""

    model: str
    sample_rate: int
    voices: list[str]
    load_s: dict[str, float]
    modes: list[str] = field(default_factory=list)
    clones: bool = False
    gpu: str | None = None
    voice_details: list[VoiceInfo] = field(default_factory=list)
    first_hop_tokens: int = 0


@dataclass(frozen=True)
class Started:
    """An utterance was accepted; `voice` is its full name, or `recording`. Bistream speaks once `text_ids_before_audio`
    text ids have come. warning: an instruction that is not followed, and why; empty for none."""

    utterance: str
    voice: str
    text_ids_before_audio: int
    warning: str = ""


@dataclass(frozen=True)
class Audio:
    """Samples of an utterance; `start_s` is the position of the first one in the utterance's audio.

    tokens: speech tokens sampled so far. text_position: how many of the text ids fed (lead ids included) are spoken by
    the end of these samples, estimated. id_starts_s: when the text ids from `first_id` on begin, in seconds of the
    utterance's audio, for those that begin in these samples or have not been told before; None where nothing knows, and
    `text_position` must do. resume: what another process needs to go on behind these samples.
    """

    utterance: str
    pcm: bytes
    start_s: float
    tokens: int
    text_position: float = 0.0
    resume: bytes | None = None
    first_id: int = 0
    id_starts_s: list[float] | None = None


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
    (playback that stood still for want of text, and for other reasons); prepare, when a voice or source had to be
    prepared first; target and speed, when a length was asked for: that length, and the speed used for it.
    window_s: the flow saw so much of what it had said, for want of memory; None: all of it.
    """

    utterance: str
    text_ids: int
    speech_tokens: list[int]
    sequences: int
    truncated: bool
    seconds: dict[str, float]
    window_s: float | None = None


@dataclass(frozen=True)
class Failed:
    """An utterance ended with an error; `code` is one of the wire's. retry_after_s: when to try again, if known."""

    utterance: str
    code: str
    message: str
    retry_after_s: float | None = None


@dataclass(frozen=True)
class Load:
    """What the acoustic process has to do and what it takes, a few times a second while it works and once when it has
    nothing left.

    utterances: open; waiting_hops: that could run now. Since the process started: steps (Euler steps), rows (hops,
    summed over them), audio_s made, flow_s and vocoder_s of work. slack_s: audio that each begun realtime listener has
    left, but for those that only wait for text. Predictions while several are spoken, in seconds of the acoustic
    device: hop_s for a hop, which gives hop_audio_s of sound lately, first_hop_s, and hops_s for 1, 2, 4... hops that
    share their steps; first_quantum_s for a first hop's tokens at the talker, as it is loaded now. kv_*_bytes: memory
    for keys and values, of streams, of voices, and free; kv_reserve_bytes: what another stream takes at least.
    """

    utterances: int
    waiting_hops: int
    steps: int
    rows: int
    audio_s: float
    flow_s: float
    vocoder_s: float
    slack_s: list[float]
    hop_s: float
    hop_audio_s: float
    first_hop_s: float
    hops_s: list[float]
    first_quantum_s: float
    kv_stream_bytes: int
    kv_voice_bytes: int
    kv_free_bytes: int
    kv_reserve_bytes: int
