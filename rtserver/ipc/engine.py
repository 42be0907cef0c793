"""The messages between the front and an engine's acoustic process.

Times are in seconds. Audio is 16-bit little-endian PCM at the rate of the checkpoint.
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

    # Never used again, also not after the utterance is over. Otherwise a late message of a process about an old
    # utterance would be taken for one about a new utterance.
    utterance: str
    # A name of the catalogue. Several voices may have one name (male, female, default); `language` picks one.
    voice: str
    mode: str = "sft"
    # None to find it out from the text.
    language: str | None = None
    seed: int = 0
    speed: float = 1.0
    # The talker layout in which speech begins before the text is complete.
    streaming: bool = False
    # How to speak, in words.
    instruct_text: str = ""
    service_class: ServiceClass = "realtime"
    # Work stops while this much audio waits to be heard. None for no bound.
    max_lead_s: float | None = None
    # To go on after a crash: the record of the last Audio that was delivered. All text is then fed again.
    resume: bytes | None = None
    # A recording that is the voice, instead of `voice`. Mode sft then means zero_shot, or cross_lingual if there is no
    # `prompt_text`.
    prompt_audio: Recording | None = None
    # What `prompt_audio` says.
    prompt_text: str = ""
    # Mode vc says this recording again in the voice. The utterance takes no text and ends by itself.
    source_audio: Recording | None = None
    # Speech tokens of `source_audio`, once they are known.
    source_pieces: list[list[int]] | None = None
    # How long the whole should last, within the bounds of speed. `speed` is then ignored, sound begins when all speech
    # tokens are there, and `streaming` must be False.
    target_s: float | None = None
    # Name of the client's key, or without keys its address, for a fair share of the places.
    tenant: str = ""
    # Name of the place that is kept for the conversation; empty for none.
    reservation: str = ""


@dataclass(frozen=True)
class Writing:
    """How fast the text of an utterance is being written."""

    # How long ago its first text came.
    age_s: float
    # Since then. None while only one piece has come.
    chars_per_s: float | None


@dataclass(frozen=True)
class Feed:
    """Appends text to an utterance."""

    utterance: str
    segments: list[Segment]
    # None where it does not matter any more: the text is fed again after a crash.
    writing: Writing | None = None


@dataclass(frozen=True)
class Flush:
    """Speaks the text so far to its end. Then Flushed comes with this id. Later text begins a new sequence."""

    utterance: str
    id: str


@dataclass(frozen=True)
class End:
    """No more text comes for an utterance."""

    utterance: str


@dataclass(frozen=True)
class Cancel:
    """Stops an utterance. No message about it follows."""

    utterance: str


@dataclass(frozen=True)
class Heard:
    """The playback position in an utterance, as the client reports it."""

    utterance: str
    position_s: float


@dataclass(frozen=True)
class Hold:
    """Stops the work on an utterance while its client does not read, or lets it go on."""

    utterance: str
    # True stops the work.
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

    # Name of the model.
    model: str
    # In Hz.
    sample_rate: int
    # Names of all voices.
    voices: list[str]
    # How long each part took to load.
    load_s: dict[str, float]
    # The modes that the checkpoint has.
    modes: list[str] = field(default_factory=list)
    # Whether a recording can be a voice.
    clones: bool = False
    # Name of the GPU; None on a CPU.
    gpu: str | None = None
    # One for each of `voices`, in the same order.
    voice_details: list[VoiceInfo] = field(default_factory=list)
    # Speech tokens of the first hop.
    first_hop_tokens: int = 0


@dataclass(frozen=True)
class Started:
    """An utterance was accepted."""

    utterance: str
    # Full name of the voice, or `recording`.
    voice: str
    # With `streaming`, speech begins when this many text ids have come.
    text_ids_before_audio: int
    # An instruction that is not followed, and why. Empty for none.
    warning: str = ""


@dataclass(slots=True)  # not frozen: one is made for every hop, and making a frozen one takes five times as long
class Audio:
    """Samples of an utterance."""

    utterance: str
    pcm: bytes
    # Position of the first sample in the utterance's audio.
    start_s: float
    # Speech tokens sampled so far.
    tokens: int
    # How many of the text ids fed (lead ids included) are spoken by the end of these samples; an estimate.
    text_position: float = 0.0
    # What another process needs to go on after these samples.
    resume: bytes | None = None
    # The id that `id_starts_s` begins with.
    first_id: int = 0
    # When text ids begin, in seconds of the utterance's audio: those that begin in these samples, and earlier ones that
    # were not reported yet. None where the times are not known; then only `text_position` is.
    id_starts_s: list[float] | None = None


@dataclass(frozen=True)
class Hungry:
    """An utterance has no text left that it can speak. The reader should give out text that it still holds back, now
    and as more comes, until the utterance is fed."""

    utterance: str
    # Whether single words are wanted: its listener soon hears nothing. Otherwise some words together are.
    urgent: bool = True


@dataclass(frozen=True)
class Rested:
    """An utterance has waited for text for so long that it gives its memory back. It goes on with its next text."""

    utterance: str
    # How many Feed, Flush and End it has had. If more were sent meanwhile, it does not rest any more.
    fed: int


@dataclass(frozen=True)
class Flushed:
    """All audio of the text before a Flush has been delivered."""

    utterance: str
    id: str
    # Audio of the utterance so far.
    audio_s: float


@dataclass(frozen=True)
class Done:
    """An utterance is complete."""

    utterance: str
    text_ids: int
    speech_tokens: list[int]
    # How many talker sequences it took.
    sequences: int
    # Whether a sequence reached its limit of speech tokens before its end.
    truncated: bool
    # Times by name:
    #   audio: the length of its sound
    #   talker, flow, vocoder: work
    #   wall: from its first text to its end
    #   ttfa: from its first text to its first sound
    #   text_wait: from the first text to the text ids that the first sound needed
    #   queue: waiting for its turn before the first sound
    #   text_starved, underrun: playback stood still because text was missing; for other reasons
    #   prepare: waiting for a voice or a source to be prepared, if it had to
    #   target, speed: the length that was asked for, and the speed (a factor) used for it
    seconds: dict[str, float]
    # How much of its own earlier sound the flow could see, because memory was short. None: all of it.
    window_s: float | None = None


@dataclass(frozen=True)
class Failed:
    """An utterance ended with an error."""

    utterance: str
    # An error code of the wire.
    code: str
    message: str
    # When to try again, if known.
    retry_after_s: float | None = None


@dataclass(frozen=True)
class Load:
    """The work and the predictions of the acoustic process.

    It comes a few times a second while the process works, and once when no work is left. Predicted times are seconds of
    the acoustic device while several utterances are spoken.
    """

    # Utterances that are open.
    utterances: int
    # Hops that could run now.
    waiting_hops: int
    # Euler steps since the process started.
    steps: int
    # Hops, summed over these steps.
    rows: int
    # Audio made since the process started.
    audio_s: float
    # Work of flow and vocoder since the process started.
    flow_s: float
    vocoder_s: float
    # Audio that each realtime listener has left to hear, of those that hear sound and do not only wait for text.
    slack_s: list[float]
    # Predicted: a hop.
    hop_s: float
    # Audio that a hop has given lately.
    hop_audio_s: float
    # Predicted: a first hop.
    first_hop_s: float
    # Predicted: 1, 2, 4, ... hops that share their steps, or what the talker takes for them if that is longer.
    hops_s: list[float]
    # Predicted: the talker's work on the tokens of a first hop, under its present load.
    first_quantum_s: float
    # Memory for keys and values: used by streams, used by voices, and free.
    kv_stream_bytes: int
    kv_voice_bytes: int
    kv_free_bytes: int
    # Memory that one more stream takes at least.
    kv_reserve_bytes: int
