"""Cuts an utterance's samples into frames for a wire. Pure."""

from __future__ import annotations

from typing import NamedTuple

BYTES_PER_SAMPLE = 2
FIRST_FRAME_MS = 40  # small, so that playing can begin and clients that count to the first frame count little
LARGEST_FRAME_MS = 200


class Frame(NamedTuple):
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
        if len(pcm) % BYTES_PER_SAMPLE:
            raise ValueError(f"expected whole 16-bit samples, found {len(pcm)} bytes")
        frames = []
        at = 0
        while at < len(pcm):
            length_ms = min(FIRST_FRAME_MS * (1 + self._seq), LARGEST_FRAME_MS)
            size = length_ms * self._rate // 1000 * BYTES_PER_SAMPLE
            data = pcm[at : at + size]
            frames.append(Frame(self._seq, self._samples * 1000 // self._rate, data))
            self._seq += 1
            self._samples += len(data) // BYTES_PER_SAMPLE
            at += size
        return frames
