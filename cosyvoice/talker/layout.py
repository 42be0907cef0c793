"""The talker's sequence: a state machine over the layouts that the talker was trained on. Pure.

Unistream: `[sos] [prompt text + text] [task_id] [prompt speech] -> speech ... eos`.
Bistream: `[sos] [instruction .. end of prompt] { [n text] [m speech] }* [rest of the text] [task_id] -> speech ... eos`
where n:m is the checkpoint's mix ratio. The prompt's transcript and speech fill the first blocks. A block ends after m
speech tokens, or when the talker samples `fill`; the `fill` itself does not become part of the sequence.

Ids are those of the merged vocabulary: speech and control rows first, text id t at `head_rows + t`. A sequence is
sampled in quanta: `next_quantum` says what can be sampled now, and `accept` takes the sampled ids. The ids of a
sequence do not depend on how it was cut into quanta.
"""

from __future__ import annotations

from collections.abc import Sequence as Ids
from dataclasses import dataclass, field
from enum import Enum

from cosyvoice.config import TalkerConfig


class LayoutStage(Enum):
    """Which control id may be sampled beside speech."""

    MID = "mid"  # inside a bistream block: fill
    FINAL = "final"  # all text is in the sequence: eos


class Finish(Enum):
    """Why a sequence is over."""

    EOS = "eos"
    LENGTH = "length"


@dataclass(frozen=True)
class TalkerPrompt:
    """What comes before the text to be spoken."""

    # Text ids; empty, or with the end-of-prompt id as the last.
    head: tuple[int, ...]
    # Text ids of what the prompt says.
    transcript: tuple[int, ...] = ()
    # The prompt's speech tokens.
    speech: tuple[int, ...] = ()


@dataclass(frozen=True)
class LengthLimits:
    """Limits on the number of speech tokens of a sequence: relative to its text ids, and an absolute maximum."""

    min_tokens_per_text_id: float
    max_tokens_per_text_id: float
    max_tokens: int


@dataclass(frozen=True)
class Quantum:
    """One piece of sampling: continue `ids` by at most `max_tokens`, and stop at the stage's control id."""

    ids: list[int]
    max_tokens: int
    # Speech tokens that must be sampled before the control id can be.
    min_tokens: int
    stage: LayoutStage
    # Speech tokens generated so far, newest last, for repetition-aware sampling.
    history: list[int]


@dataclass
class TalkerSequence:
    """One talker sequence from first text to last speech token."""

    config: TalkerConfig
    prompt: TalkerPrompt
    limits: LengthLimits
    bistream: bool
    ids: list[int] = field(init=False)
    generated: list[int] = field(init=False, default_factory=list)
    finish: Finish | None = field(init=False, default=None)
    text_ids: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.ids = [self.config.sos, *self._merged(self.prompt.head)]
        self._text = list(self.prompt.transcript)  # waits to enter the sequence
        self._speech = list(self.prompt.speech)
        self._room = 0  # speech tokens that the block can still take
        self._stage: LayoutStage | None = None  # None: text must enter first
        self._ended = False

    # -- text in ----------------------------------------------------------------------------------------------------

    def feed(self, text_ids: Ids[int]) -> None:
        """Appends text ids. Raises ValueError after `end`, or for ids outside the text table."""
        if self._ended:
            raise ValueError("text after the end of a talker sequence")
        bad = [i for i in text_ids if not 0 <= i < self.config.text_rows]
        if bad:
            raise ValueError(f"text ids {bad[:5]} are outside the table of {self.config.text_rows} rows")
        self._text.extend(text_ids)
        self.text_ids += len(text_ids)

    def end(self) -> None:
        """No more text comes: the sequence can go on to its end of speech."""
        self._ended = True
        self._stop_at_maximum()  # now that the number of text ids is known

    # -- speech out -------------------------------------------------------------------------------------------------

    def next_quantum(self, max_tokens: int) -> Quantum | None:
        """What to sample next, at most `max_tokens`. None when more text is needed or the sequence is over."""
        if self.finish is not None:
            return None
        self._advance()
        if self._stage is None:
            return None
        self._stop_at_maximum()
        if self.finish is not None:
            return None
        left = self._max_total() - len(self.generated)
        if self._stage is LayoutStage.MID:
            left = min(left, self._room)
        missing = max(0, self._min_total() - len(self.generated)) if self._stage is LayoutStage.FINAL else 0
        return Quantum(list(self.ids), min(max_tokens, left), missing, self._stage, list(self.generated))

    def accept(self, sampled: Ids[int]) -> list[int]:
        """Takes the ids that were sampled for the last quantum, with the fill or eos that ended it. Returns its speech
        tokens. Raises ValueError for an id that the stage does not allow."""
        speech: list[int] = []
        for token in sampled:
            if self.finish is not None or self._stage is None:
                raise ValueError(f"id {token} was sampled after the quantum's end")
            if token < self.config.speech_tokens:
                speech.append(token)
                self.ids.append(token)
                if self._stage is LayoutStage.MID:
                    self._room -= 1
                    if self._room == 0:
                        self._stage = None
            elif self._stage is LayoutStage.MID and token == self.config.fill:
                self._room, self._stage = 0, None
            elif self._stage is LayoutStage.FINAL and token == self.config.eos:
                self.finish = Finish.EOS
            else:
                raise ValueError(f"id {token} is not allowed in stage {self._stage.value}")
        self.generated.extend(speech)
        self._stop_at_maximum()
        return speech

    @property
    def starving(self) -> bool:
        """Whether the sequence can only go on after more text, or `end`."""
        self._advance()
        return self.finish is None and self._stage is None

    @property
    def waiting_ids(self) -> int:
        """Text ids that have not entered the sequence yet."""
        return len(self._text)

    # -- layout -----------------------------------------------------------------------------------------------------

    def _advance(self) -> None:
        """Moves waiting text and prompt speech into the sequence until speech can be sampled or more text is needed."""
        n_text, n_speech = self.config.mix_ratio
        while self._stage is None and self.finish is None:
            if self.bistream and len(self._text) >= n_text:
                self._append_text(n_text)
                self._room = n_speech - self._append_speech(n_speech)
                if self._room > 0:
                    self._stage = LayoutStage.MID
            elif self._ended:
                self._append_text(len(self._text))
                self.ids.append(self.config.task_id)
                self._append_speech(len(self._speech))
                self._stage = LayoutStage.FINAL
            else:
                return

    def _append_text(self, count: int) -> None:
        self.ids.extend(self._merged(self._text[:count]))
        del self._text[:count]

    def _append_speech(self, count: int) -> int:
        taken = self._speech[:count]
        self.ids.extend(taken)
        del self._speech[:count]
        return len(taken)

    def _merged(self, text_ids: Ids[int]) -> list[int]:
        return [self.config.head_rows + i for i in text_ids]

    def _min_total(self) -> int:
        return min(int(self.limits.min_tokens_per_text_id * self.text_ids), self.limits.max_tokens)

    def _stop_at_maximum(self) -> None:
        if self.finish is None and len(self.generated) >= self._max_total():
            self.finish = Finish.LENGTH

    def _max_total(self) -> int:
        """While more text can come, only the absolute maximum applies."""
        if not self._ended:
            return self.limits.max_tokens
        return min(int(self.limits.max_tokens_per_text_id * self.text_ids), self.limits.max_tokens)


def text_ids_before_audio(config: TalkerConfig, prompt_speech_tokens: int, transcript_ids: int) -> int:
    """Text ids beyond the transcript that a bistream sequence needs before its first speech token can be sampled."""
    n_text, n_speech = config.mix_ratio
    blocks = prompt_speech_tokens // n_speech + 1  # the block in which the prompt's speech leaves room
    return max(0, blocks * n_text - transcript_ids)
