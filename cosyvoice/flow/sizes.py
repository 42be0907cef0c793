"""How many frames an utterance reserves: all that its longest sequence keeps, or a window. Numbers only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple


class ReservedSize(NamedTuple):
    """Frames to reserve. windowed: later frames take the place of older ones."""

    frames: int
    windowed: bool


@dataclass(frozen=True)
class ReservationSizes:
    """The sizes to try for a voice."""

    chunk_frames: int
    chunk_tokens: int
    # Memory is taken in multiples of this.
    grain_frames: int
    # Tokens that a hop sees after its own.
    lookahead_tokens: int
    # Tokens at the end of the prompt, after the voice's prefix, and of the context. Every stream computes them itself.
    own_tokens: int

    def attempts(self, tokens: int, min_window_tokens: int | None, max_window_tokens: int | None) -> list[ReservedSize]:
        """The largest size comes first: all that a sequence of `tokens` keeps, or a window of `max_window_tokens` where
        that is less. With `min_window_tokens`, windows of half the frames, of a quarter and so on follow, down to that
        length. Raises ValueError for a length below one token."""
        lengths = {"tokens": tokens, "min_window_tokens": min_window_tokens, "max_window_tokens": max_window_tokens}
        for name, length in lengths.items():
            if length is not None and length < 1:
                raise ValueError(f"{name}: expected at least 1, found {length}")
        first = ReservedSize(self._all_frames(tokens), windowed=False)
        if max_window_tokens is not None:
            first = min(first, ReservedSize(self._window_frames(max_window_tokens), windowed=True))
        if min_window_tokens is None:
            return [first]
        return [first, *self._smaller(first.frames, self._window_frames(min_window_tokens))]

    def _smaller(self, frames: int, least_frames: int) -> Iterator[ReservedSize]:
        while frames > least_frames:
            frames = max(least_frames, -(-frames // (2 * self.grain_frames)) * self.grain_frames)
            yield ReservedSize(frames, windowed=True)

    def _all_frames(self, tokens: int) -> int:
        # The last hop keeps nothing, and it has at least the look-ahead tokens of the hop before.
        kept_tokens = max(0, self.own_tokens + tokens - self.lookahead_tokens)
        return self._whole_grains(kept_tokens // self.chunk_tokens)

    def _window_frames(self, tokens: int) -> int:
        first_hop_chunks = self.own_tokens // self.chunk_tokens + 1
        return self._whole_grains(max(-(-tokens // self.chunk_tokens), first_hop_chunks))

    def _whole_grains(self, chunks: int) -> int:
        """Frames of this many chunks, rounded up to whole grains."""
        return -(-chunks * self.chunk_frames // self.grain_frames) * self.grain_frames
