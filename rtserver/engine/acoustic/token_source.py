"""Where the speech tokens of an utterance come from: its text, through the talker (`text_plan`), or a recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cosyvoice.talker.layout import Quantum
from rtserver.engine.acoustic.models import AcousticModels, SpeakingVoice
from rtserver.engine.acoustic.resume import ResumeRecord
from rtserver.engine.acoustic.text_plan import History, TextPlan, TextPolicy
from rtserver.ipc.engine import Open
from rtserver.ipc.reading import Segment
from rtserver.schedule.speech import Speech, SpokenSequence


class SequenceTokens(SpokenSequence, Protocol):
    """One sequence, with the speech tokens that the flow gets."""

    @property
    def flow_tokens(self) -> list[int]: ...


class TokenSource(Speech, Protocol):
    """The speech of an utterance: what its stream must know, and what flow, vocoder and events need besides."""

    @property
    def spoken(self) -> Sequence[SequenceTokens]: ...
    @property
    def history(self) -> History:
        """What another process needs to come to the same state with the same text."""

    @property
    def truncated(self) -> bool:
        """True when a sequence reached its maximum length before the talker ended it."""

    @property
    def text_ids(self) -> int:
        """Text ids that were fed."""

    @property
    def tokens(self) -> int:
        """How many speech tokens there are."""

    @property
    def speech_tokens(self) -> list[int]:
        """All speech tokens, in order."""

    @property
    def sequences(self) -> Sequence[SequenceTokens]:
        """Those of `spoken` that are speech, not silence."""

    @property
    def quantum_seed(self) -> int:
        """The seed for the next quantum."""

    def feed(self, segments: Sequence[Segment]) -> None:
        """Appends text."""

    def end(self) -> None:
        """No more text."""

    def flow_context(self, sequence: int, tokens: int) -> Sequence[int]:
        """The last `tokens` tokens before a sequence that goes on with the speech before it; otherwise none."""

    def text_position(self, sequence: int, flow_tokens: float) -> float:
        """How many of the ids fed are spoken where a sequence has sounded this many tokens."""


@dataclass
class SourcePiece:
    """The tokens of a piece of a recording, which is cut at its silences."""

    flow_tokens: list[int]
    complete: bool = True
    silence_ms: int = 0
    rate: float = 1.0


class Conversion:
    """Voice conversion: the speech tokens of a recording take the talker's place, all at once, silences too. There is
    no text, and nothing to sample."""

    starving = False
    speechless = True
    complete = True
    truncated = False
    text_ids = 0
    waiting_ids = 0
    quantum_seed = 0
    history = History([], [])

    def __init__(self, pieces: Sequence[list[int]]) -> None:
        self.spoken = [SourcePiece(piece) for piece in pieces]
        self.speech_tokens = [token for piece in pieces for token in piece]
        self.tokens = len(self.speech_tokens)
        self.sequences = self.spoken

    def feed(self, segments: Sequence[Segment]) -> None:
        """Raises ValueError for text."""
        if segments:
            raise ValueError("mode vc: expected no text, found some: it says what its source_audio says")

    def close(self) -> int:
        return len(self.spoken)

    def starve(self) -> None:
        """Never for want of text."""

    def end(self) -> None:
        """It ends by itself."""

    def next_quantum(self, max_tokens: int) -> Quantum | None:
        return None

    def accept(self, sampled: Sequence[int]) -> None:
        """Nothing was to be sampled."""

    def flow_context(self, sequence: int, tokens: int) -> Sequence[int]:
        return ()  # each piece lies between silences

    def text_position(self, sequence: int, flow_tokens: float) -> float:
        return 0.0


def speech_of(request: Open, models: AcousticModels, voice: SpeakingVoice, record: ResumeRecord | None) -> TokenSource:
    """The speech of a request, at its beginning or as far as the record says."""
    if request.source_pieces is not None:
        return Conversion(request.source_pieces)
    policy = TextPolicy.of(models.config, streaming=request.streaming)
    prompt = voice.talker_prompt(streaming=request.streaming)
    history = record.history if record else None
    return TextPlan(models.config.talker, prompt, policy, request.seed, history)
