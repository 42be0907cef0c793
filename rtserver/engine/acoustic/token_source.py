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


class SequenceTokens(Protocol):
    """One sequence's speech tokens, as the flow sees them; `complete` when no more will come."""

    flow_tokens: list[int]

    @property
    def complete(self) -> bool: ...


class TokenSource(Protocol):
    """What TextPlan does, as far as flow and vocoder need it."""

    @property
    def spoken(self) -> Sequence[SequenceTokens]: ...
    @property
    def starving(self) -> bool: ...
    @property
    def speechless(self) -> bool: ...
    @property
    def complete(self) -> bool: ...
    @property
    def history(self) -> History: ...
    @property
    def truncated(self) -> bool: ...
    @property
    def text_ids(self) -> int: ...
    @property
    def tokens(self) -> int: ...
    @property
    def speech_tokens(self) -> list[int]: ...
    @property
    def quantum_seed(self) -> int: ...
    def feed(self, segments: Sequence[Segment]) -> None: ...
    def close(self) -> int: ...
    def starve(self) -> None: ...
    def end(self) -> None: ...
    def next_quantum(self, max_tokens: int) -> Quantum | None: ...
    def accept(self, sampled: Sequence[int]) -> None: ...
    def text_position(self, sequence: int, flow_tokens: float) -> float: ...


@dataclass
class SourcePiece:
    """The tokens of a piece of a recording, which is cut at its silences."""

    flow_tokens: list[int]
    complete: bool = True


class Conversion:
    """Voice conversion: the speech tokens of a recording take the talker's place, all at once, silences too. There is
    no text, and nothing to sample."""

    starving = False
    speechless = True
    complete = True
    truncated = False
    text_ids = 0
    quantum_seed = 0
    history = History([], [])

    def __init__(self, pieces: Sequence[list[int]]) -> None:
        self.spoken = [SourcePiece(piece) for piece in pieces]
        self.speech_tokens = [token for piece in pieces for token in piece]
        self.tokens = len(self.speech_tokens)

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
