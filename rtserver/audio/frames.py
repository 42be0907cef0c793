"""Cuts an utterance's samples into frames for a wire. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

BYTES_PER_SAMPLE = 2
FIRST_FRAME_MS = 40  # small, so that playing can begin and clients that count to the first frame count little
LARGEST_FRAME_MS = 200

T = TypeVar("T")


@dataclass(frozen=True)
class Frame:
    """`start_ms`: position of the first sample, rounded down."""

    seq: int
    start_ms: int
    data: bytes


class Framer:
    """One utterance's frames: 40 ms, then growing to 200 ms; never a part of a sample, nothing kept back."""

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._seq = 0
        self._samples = 0

    @property
    def audio_ms(self) -> int:
        """Audio cut so far."""
        return self._samples * 1000 // self._rate

    def cut(self, pcm: bytes) -> list[Frame]:
        """Frames of more 16-bit samples. ValueError for half a sample."""
        return self.cut_into(Frame, pcm)

    def cut_into(self, make: Callable[[int, int, bytes], T], pcm: bytes) -> list[T]:
        """The same as whatever `make` makes of a frame's seq, start_ms and data."""
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
