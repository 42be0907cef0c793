"""Tones in place of voices. Pure."""

from __future__ import annotations

import functools
import zlib

import numpy as np

_LOWEST_HZ = 150
_TONES = 300  # that can be told apart
_KEPT = 32  # of these the ones used last: each takes 48 KB, and clients may name any voice
_AMPLITUDE = 6000.0
_BYTES_PER_SAMPLE = 2


class Tone:
    """A sine of a whole number of Hz: after a second it is the same again."""

    def __init__(self, frequency_hz: int, sample_rate: int) -> None:
        at_s = np.arange(sample_rate) / sample_rate
        wave = _AMPLITUDE * np.sin(2 * np.pi * frequency_hz * at_s)
        self._second = wave.round().astype("<i2").tobytes()

    def cut(self, start: int, samples: int) -> bytes:
        """So many samples as PCM, from a position on."""
        second = self._second
        at = start * _BYTES_PER_SAMPLE % len(second)
        end = at + samples * _BYTES_PER_SAMPLE
        if end <= len(second):
            return second[at:end]
        return (second * (end // len(second) + 1))[at:end]


def tone_of(name: str, sample_rate: int) -> Tone:
    """The same for the same name."""
    return _tone(_LOWEST_HZ + zlib.crc32(name.encode()) % _TONES, sample_rate)


_tone = functools.lru_cache(maxsize=_KEPT)(Tone)
