"""How fast the text of an utterance is written. Pure: times are arguments, in seconds."""

from __future__ import annotations

from dataclasses import dataclass

# A writer is slow who needs longer for the text of one block of speech.
SLOW_BLOCK_S = 0.25


@dataclass(frozen=True)
class Writer:
    """The pace of a writer, as far as it is known."""

    # When the first text came.
    begun_s: float
    # None while only one piece has come.
    ids_per_s: float | None

    def takes_s(self, ids: int) -> float:
        """How long this many text ids take. 0 while the pace is not known."""
        return max(0, ids) / self.ids_per_s if self.ids_per_s else 0.0

    def is_slow(self, block_ids: int) -> bool:
        """Whether speech may have to wait for text, block after block."""
        return self.takes_s(block_ids) > SLOW_BLOCK_S
