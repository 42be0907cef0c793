"""One utterance's text on its way through the talker: which sequences it becomes and what each has said.

Pure: no clock, no sockets, no tensors. Text comes in segments; sequences are cut at sentence ends so that none is
predicted to speak longer than the bound. Quanta come out, sampled ids go in, flow tokens collect per sequence.
"""

from __future__ import annotations

from collections.abc import Sequence as Ids
from dataclasses import dataclass, field

from cosyvoice.config import ModelConfig, TalkerConfig
from cosyvoice.talker.layout import Finish, Limits, Quantum, TalkerPrompt, TalkerSequence
from cosyvoice.talker.silence import SilenceGate
from rtserver.messages import Segment


@dataclass(frozen=True)
class TextPolicy:
    """How an utterance becomes sequences. `streaming` speaks while text still comes (bistream)."""

    limits: Limits
    tokens_per_text_id: float
    silent_ids: tuple[int, ...]
    max_silent_run: int
    streaming: bool

    @classmethod
    def of(cls, config: ModelConfig, *, streaming: bool) -> TextPolicy:
        """The checkpoint's own bounds."""
        serving = config.serving
        limits = Limits(
            serving.min_tokens_per_text_id,
            serving.max_tokens_per_text_id,
            int(serving.max_sequence_s * config.token_rate_hz),
        )
        return cls(limits, serving.tokens_per_text_id, serving.silent_ids, serving.max_silent_run, streaming)


@dataclass
class Spoken:
    """One sequence and its speech tokens as the flow sees them; `complete` when no more will come."""

    sequence: TalkerSequence
    gate: SilenceGate
    flow_tokens: list[int] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        return self.sequence.finish is not None


class Utterance:
    """The talker side of an utterance. `seed` is the utterance's; every sequence draws with its own."""

    def __init__(self, config: TalkerConfig, prompt: TalkerPrompt, policy: TextPolicy, seed: int) -> None:
        self._config = config
        self._prompt = prompt
        self._policy = policy
        self._seed = seed
        self._room_tokens = float(policy.limits.max_tokens)  # predicted speech tokens that the open sequence may hold
        self.spoken: list[Spoken] = []
        self.ended = False

    # -- text in ----------------------------------------------------------------------------------------------------

    def feed(self, segments: Ids[Segment]) -> None:
        """Appends text. Raises ValueError after `end` or for ids the talker does not have."""
        if self.ended:
            raise ValueError("text after the end of an utterance")
        for segment in segments:
            predicted = len(segment.ids) * self._policy.tokens_per_text_id
            begins = not self.spoken or predicted > self._room_tokens
            if begins:
                self._open_sequence()
            self.spoken[-1].sequence.feed(segment.ids[segment.lead_ids :] if begins else segment.ids)
            self._room_tokens -= predicted
            # Past half of the bound a sentence end closes the sequence: the next sentence rarely fits whole, and a
            # cut inside a sentence is heard.
            if segment.ends_sentence and self._room_tokens < self._policy.limits.max_tokens / 2:
                self._room_tokens = 0.0

    def end(self) -> None:
        """No more text."""
        self.ended = True
        if self.spoken:
            self.spoken[-1].sequence.end()

    # -- speech out -------------------------------------------------------------------------------------------------

    def next_quantum(self, max_tokens: int) -> Quantum | None:
        """What the talker should sample next for the first unfinished sequence; None when nothing can be."""
        for spoken in self.spoken:
            quantum = spoken.sequence.next_quantum(max_tokens)
            if quantum is not None or not spoken.complete:
                return quantum
        return None

    def accept(self, sampled: Ids[int]) -> None:
        """Takes what was sampled for the last quantum."""
        spoken = next(s for s in self.spoken if not s.complete)
        spoken.flow_tokens += spoken.gate.filter(spoken.sequence.accept(sampled))

    @property
    def quantum_seed(self) -> int:
        """The seed of the sequence that `next_quantum` continues."""
        index = next((i for i, s in enumerate(self.spoken) if not s.complete), 0)
        return self._seed + (index << 32)

    @property
    def complete(self) -> bool:
        """True when all text has been turned into speech tokens."""
        return self.ended and all(s.complete for s in self.spoken)

    @property
    def truncated(self) -> bool:
        """True when a sequence reached its maximum length before the talker ended it."""
        return any(s.sequence.finish is Finish.LENGTH for s in self.spoken)

    @property
    def text_ids(self) -> int:
        return sum(s.sequence.text_ids for s in self.spoken)

    @property
    def speech_tokens(self) -> list[int]:
        """All speech tokens of the talker, in order (before the silence filter)."""
        return [t for s in self.spoken for t in s.sequence.generated]

    def _open_sequence(self) -> None:
        if self.spoken:
            self.spoken[-1].sequence.end()
        policy = self._policy
        sequence = TalkerSequence(self._config, self._prompt, policy.limits, policy.streaming)
        self.spoken.append(Spoken(sequence, SilenceGate(policy.silent_ids, policy.max_silent_run)))
        self._room_tokens = float(policy.limits.max_tokens)
