"""What a stream must know of the speech tokens that are made for it. Pure."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from typing import Protocol

from cosyvoice.talker.layout import Quantum


class SpokenSequence(Protocol):
    """One talker sequence, or a silence between two of them."""

    @property
    def silence_ms(self) -> int:
        """The length of a silence, which has no speech tokens; 0 for a sequence."""

    @property
    def rate(self) -> float:
        """How fast it is spoken, as a factor beside the speed of the utterance."""

    @property
    def flow_tokens(self) -> Sized:
        """Its speech tokens so far, as the flow sees them."""

    @property
    def complete(self) -> bool:
        """True when no more tokens will come."""


class QuantumSource(Protocol):
    """What the talker is asked for, and what becomes of its answer."""

    def next_quantum(self, max_tokens: int) -> Quantum | None:
        """What to sample next; None when nothing can be sampled."""

    def accept(self, sampled: Sequence[int]) -> None:
        """Takes the ids that were sampled for the last quantum."""


class Speech(QuantumSource, Protocol):
    """The speech of an utterance, sequence after sequence. The server's is a TextPlan or a Conversion."""

    @property
    def spoken(self) -> Sequence[SpokenSequence]:
        """The sequences so far."""

    @property
    def starving(self) -> bool:
        """True when the open sequence can go on only with more text."""

    @property
    def speechless(self) -> bool:
        """True when the text so far gives no more tokens."""

    @property
    def complete(self) -> bool:
        """True when the text has ended and all its tokens are there."""

    @property
    def waiting_ids(self) -> int:
        """Text ids of the open sequence that are too few for the talker to go on."""

    def close(self) -> int:
        """Ends the open sequence: later text begins a new one. Returns how many sequences there are."""

    def starve(self) -> None:
        """Ends the open sequence for want of text."""
