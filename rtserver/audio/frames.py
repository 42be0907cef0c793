"""Cuts the samples of an utterance into frames for a wire. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

BYTES_PER_SAMPLE = 2
FIRST_FRAME_MS = 40  # small, so that playback begins early; clients measure the time to this frame
LARGEST_FRAME_MS = 200

T = TypeVar("T")


@dataclass(frozen=True)
class Frame:
    """A piece of an utterance's sound."""

    # Counts from 0.
    seq: int
    # Position of its first sample, rounded down.
    start_ms: int
    data: bytes


class Framer:
    """Cuts the sound of one utterance. The first frame has 40 ms, later ones up to 200 ms. It holds nothing back."""

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._seq = 0
        self._samples = 0

    @property
    def frames(self) -> int:
        """How many were cut so far: the number of the next one."""
        return self._seq

    @property
    def audio_ms(self) -> int:
        """Audio cut so far."""
        return self._samples * 1000 // self._rate

    def cut(self, pcm: bytes) -> list[Frame]:
        """Returns the frames of more 16-bit samples. Raises ValueError for half a sample."""
        return self.cut_into(Frame, pcm)

    def cut_into(self, make: Callable[[int, int, bytes], T], pcm: bytes) -> list[T]:
        """The same, but calls `make` with seq, start_ms and data of each frame, and returns its results."""
        if len(pcm) % BYTES_PER_SAMPLE:
            raise ValueError(f"expected whole 16-bit samples, found {len(pcm)} bytes")
        frames = []
        seq, samples, rate = self._seq, self._samples, self._rate
        at = 0
        while at < len(pcm):
            length_ms = min(FIRST_FRAME_MS * (1 + seq), LARGEST_FRAME_MS)
            size = length_ms * rate // 1000 * BYTES_PER_SAMPLE
            data = pcm[at : at + size]
            frames.append(make(seq, samples * 1000 // rate, data))
            seq += 1
            samples += len(data) // BYTES_PER_SAMPLE
            at += size
        self._seq, self._samples = seq, samples
        return frames
