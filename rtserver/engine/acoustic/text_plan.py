"""One utterance's text on its way through the talker: the sequences that it becomes, and what each has said. Pure.

Text comes in segments. A sequence is closed at a sentence's end, so that none is predicted to speak longer than the
bound, before a silence, where the rate changes, and where `close` says. Quanta come out, sampled ids go in, and each
sequence collects its flow tokens. With `history` and the same text another process comes to the same state.
"""

from __future__ import annotations

from collections.abc import Sequence as Ids
from dataclasses import dataclass, field

from cosyvoice.config import ModelConfig, TalkerConfig
from cosyvoice.talker.layout import Finish, LengthLimits, Quantum, TalkerPrompt, TalkerSequence
from cosyvoice.talker.silence import SilenceGate
from rtserver.ipc.reading import Segment

# A listener gets a longer silence in pieces, so that it has not more of it ahead than of speech.
LONGEST_SILENCE_MS = 1000


@dataclass(frozen=True)
class TextPolicy:
    """How an utterance becomes sequences."""

    # Bounds on what a sequence may say.
    limits: LengthLimits
    # A sequence takes text for about this many speech tokens.
    sequence_tokens: int
    # Predicted speech tokens of a text id.
    tokens_per_text_id: float
    # Speech tokens that are silence, and how many of them may follow each other.
    silent_ids: tuple[int, ...]
    max_silent_run: int
    # Silent tokens that the flow gets where speech pauses or ends.
    closing_ids: tuple[int, ...]
    # Whether it speaks while text still comes (bistream).
    streaming: bool

    @classmethod
    def of(cls, config: ModelConfig, *, streaming: bool) -> TextPolicy:
        """The checkpoint's own bounds."""
        serving = config.serving
        limits = LengthLimits(
            serving.min_tokens_per_text_id,
            serving.max_tokens_per_text_id,
            int(serving.max_sequence_s * config.token_rate_hz),
        )
        sequence_s = serving.max_sequence_s if serving.sequence_s is None else serving.sequence_s
        sequence_tokens = int(sequence_s * config.token_rate_hz)
        silence = serving.silent_ids, serving.max_silent_run, serving.closing_ids
        return cls(limits, sequence_tokens, serving.tokens_per_text_id, *silence, streaming)


@dataclass
class PlannedSequence:
    """One sequence and its speech tokens."""

    sequence: TalkerSequence
    # Drops silence that is too long.
    gate: SilenceGate
    # Silence that follows its speech, unless the next sequence goes on at once.
    closing_ids: tuple[int, ...] = ()
    # Whether the next sequence goes on at once: the text was cut for length only.
    goes_on: bool = False
    # Text ids that were fed to the sequences before it.
    ids_before: int = 0
    # Text ids that were fed to it, with those that only join it to the text before.
    fed_ids: int = 0
    # All ids that the talker gave, control ids too.
    sampled: list[int] = field(default_factory=list)
    # Its speech tokens as the flow sees them, with the silence after them.
    flow_tokens: list[int] = field(default_factory=list)
    # How fast it is spoken, as a factor beside the speed of the utterance.
    rate: float = 1.0
    # It is speech.
    silence_ms: int = 0

    @property
    def complete(self) -> bool:
        """True when no more tokens will come."""
        return self.sequence.finish is not None

    def accept(self, sampled: Ids[int]) -> None:
        """Takes what was sampled for the last quantum."""
        self.flow_tokens += self.gate.filter(self.sequence.accept(sampled))
        self.sampled += sampled
        if self.complete:
            self._fall_silent()

    def end(self) -> None:
        """No more text comes: that alone may complete it."""
        was_complete = self.complete
        self.sequence.end()
        if self.complete and not was_complete:
            self._fall_silent()

    def _fall_silent(self) -> None:
        """It has just been completed. Speech that was cut at its maximum always gets the silence: it may be cut before
        it is known what follows."""
        if self.flow_tokens and (not self.goes_on or self.sequence.finish is Finish.LENGTH):
            self.flow_tokens += self.closing_ids

    def replay(self, sampled: list[int]) -> None:
        """Takes ids that were sampled before a crash from the front of the list, as far as the text allows."""
        speech_tokens = self.sequence.config.speech_tokens
        while sampled and (quantum := self.sequence.next_quantum(len(sampled))) is not None:
            control = next((i for i, t in enumerate(sampled) if t >= speech_tokens), len(sampled))
            taken = sampled[: min(quantum.max_tokens, control + 1)]
            self.accept(taken)
            del sampled[: len(taken)]


@dataclass(frozen=True)
class PlannedSilence:
    """A silence that the text asks for. The talker knows nothing of it."""

    silence_ms: int
    # Text ids that were fed before it.
    ids_before: int
    rate: float = 1.0
    flow_tokens: list[int] = field(default_factory=list)
    complete: bool = True


@dataclass(frozen=True)
class History:
    """What happened to a TextPlan, besides its text."""

    # After how many segments a sequence was closed for want of text.
    closings: list[int]
    # The sampled ids of each sequence.
    sampled: list[list[int]]


class TextPlan:
    """The talker side of an utterance. Every sequence has a seed of its own, from the utterance's `seed`. With a
    `history` the same text gives the same sequences again, and what was sampled is not sampled again."""

    def __init__(
        self,
        config: TalkerConfig,
        prompt: TalkerPrompt,
        policy: TextPolicy,
        seed: int,
        history: History | None = None,
    ) -> None:
        self._config = config
        self._prompt = prompt
        self._policy = policy
        self._seed = seed
        self._room_tokens = float(policy.sequence_tokens)  # predicted speech tokens that the open sequence may hold
        self._open: PlannedSequence | None = None  # the sequence that takes text; None: the next segment begins one
        self._segments = 0
        self._full_stop_ids: list[int] = []  # after the latest segment
        self._fed_ids = 0
        self._closings: list[int] = []
        self._old_closings = frozenset(history.closings if history else ())
        self._old_sampled = [list(ids) for ids in history.sampled] if history else []
        self.spoken: list[PlannedSequence | PlannedSilence] = []
        self.ended = False

    # -- text in ----------------------------------------------------------------------------------------------------

    def feed(self, segments: Ids[Segment]) -> None:
        """Appends text. Raises ValueError after `end` or for ids the talker does not have."""
        if self.ended:
            raise ValueError("text after the end of an utterance")
        for segment in segments:
            if segment.silence_ms:
                self._fall_silent(segment.silence_ms)
            else:
                self._speak(segment)
            self._segments += 1
            if self._segments in self._old_closings:
                self.starve()

    def _speak(self, segment: Segment) -> None:
        predicted = len(segment.ids) * self._policy.tokens_per_text_id
        spoken = self._open
        if spoken is not None and spoken.rate != segment.rate:
            self.close()
            spoken = None
        if spoken is None or predicted > self._room_tokens:
            spoken = self._open_sequence(segment.rate)
            spoken.sequence.feed(segment.ids[segment.lead_ids :])
        else:
            spoken.sequence.feed(segment.ids)
        self._full_stop_ids = segment.full_stop_ids
        spoken.fed_ids += len(segment.ids)
        self._fed_ids += len(segment.ids)
        self._room_tokens -= predicted
        # After half of the bound, a sentence's end closes the sequence. The next sentence rarely fits as a whole, and a
        # cut inside a sentence can be heard.
        if segment.ends_sentence and self._room_tokens < self._policy.sequence_tokens / 2:
            self._room_tokens = 0.0

    def _fall_silent(self, silence_ms: int) -> None:
        """Closes the open sequence. A long silence becomes several short ones, which are sent one after the other."""
        self.close()
        for at_ms in range(0, silence_ms, LONGEST_SILENCE_MS):
            self.spoken.append(PlannedSilence(min(LONGEST_SILENCE_MS, silence_ms - at_ms), self._fed_ids))

    def close(self) -> int:
        """Closes the open sequence: later text begins a new one. Returns how many sequences and silences there are."""
        if self._open is not None:
            self._open.end()
            self._open = None
        return len(self.spoken)

    def starve(self) -> None:
        """Closes the open sequence for want of text, which `history` remembers. It gets a full stop: a talker that has
        learnt sentences goes on without sense where a text just breaks off."""
        self._closings.append(self._segments)
        if self._open is not None:
            self._open.sequence.feed(self._full_stop_ids)
        self.close()

    def end(self) -> None:
        """No more text."""
        self.ended = True
        self.close()

    @property
    def starving(self) -> bool:
        """True when the open sequence can go on only with more text, or with its end."""
        if self._open is None or not self._policy.streaming:
            return False
        return all(s.complete for s in self.spoken[:-1]) and self._open.sequence.starving

    @property
    def waiting_ids(self) -> int:
        """Text ids of the open sequence that have not entered the talker's sequence."""
        return 0 if self._open is None else self._open.sequence.waiting_ids

    @property
    def speechless(self) -> bool:
        """True when the text so far gives no more tokens, at least not without more text."""
        return all(s.complete for s in self.spoken) or self.starving

    # -- speech out -------------------------------------------------------------------------------------------------

    def next_quantum(self, max_tokens: int) -> Quantum | None:
        """What the talker samples next, for the first sequence that is not complete. None when nothing can be
        sampled."""
        for index, spoken in enumerate(self.spoken):
            if isinstance(spoken, PlannedSilence):
                continue
            if index < len(self._old_sampled):
                spoken.replay(self._old_sampled[index])
            quantum = spoken.sequence.next_quantum(max_tokens)
            if quantum is not None or not spoken.complete:
                return quantum
        return None

    def accept(self, sampled: Ids[int]) -> None:
        """Takes what was sampled for the last quantum."""
        next(s for s in self.sequences if not s.complete).accept(sampled)

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
    def history(self) -> History:
        """What has happened so far, besides the text."""
        sampled = []
        for index, spoken in enumerate(self.spoken):
            new = [] if isinstance(spoken, PlannedSilence) else spoken.sampled
            sampled.append(new + (self._old_sampled[index] if index < len(self._old_sampled) else []))
        return History(sorted({*self._closings, *self._old_closings}), sampled + self._old_sampled[len(self.spoken) :])

    @property
    def truncated(self) -> bool:
        """True when a sequence reached its maximum length before the talker ended it."""
        return any(s.sequence.finish is Finish.LENGTH for s in self.sequences)

    @property
    def text_ids(self) -> int:
        return sum(s.sequence.text_ids for s in self.sequences)

    @property
    def tokens(self) -> int:
        """How many speech tokens the talker has given."""
        return sum(len(s.sequence.generated) for s in self.sequences)

    @property
    def speech_tokens(self) -> list[int]:
        """All speech tokens of the talker, in order (before the silence filter)."""
        return [t for s in self.sequences for t in s.sequence.generated]

    @property
    def sequences(self) -> list[PlannedSequence]:
        """What is spoken, without the silences."""
        return [s for s in self.spoken if isinstance(s, PlannedSequence)]

    def flow_context(self, sequence: int, tokens: int) -> list[int]:
        """The last `tokens` flow tokens before a sequence that goes on with the text before it. Otherwise, and after a
        shorter sequence, none."""
        before = self.spoken[sequence - 1] if sequence > 0 else None
        if not isinstance(before, PlannedSequence) or not before.goes_on or len(before.flow_tokens) < tokens:
            return []
        return before.flow_tokens[len(before.flow_tokens) - tokens :]

    def text_position(self, sequence: int, flow_tokens: float) -> float:
        """How many of the ids fed are spoken where a sequence has sounded `flow_tokens`. An estimate: the ids of a
        sequence are spread evenly over what it has said, or is predicted to say."""
        spoken = self.spoken[sequence]
        if isinstance(spoken, PlannedSilence):
            return spoken.ids_before
        expected = float(len(spoken.flow_tokens))
        if not spoken.complete:
            expected = max(expected, spoken.fed_ids * self._policy.tokens_per_text_id)
        return spoken.ids_before + spoken.fed_ids * min(1.0, flow_tokens / expected if expected else 1.0)

    def _open_sequence(self, rate: float) -> PlannedSequence:
        if self._open is not None:
            self._open.goes_on = True
        self.close()
        policy = self._policy
        sequence = TalkerSequence(self._config, self._prompt, policy.limits, policy.streaming)
        gate = SilenceGate(policy.silent_ids, policy.max_silent_run)
        self._open = PlannedSequence(sequence, gate, policy.closing_ids, ids_before=self._fed_ids, rate=rate)
        self.spoken.append(self._open)
        self._room_tokens = float(policy.sequence_tokens)
        return self._open
