"""The fundamental frequency of a wave, by YIN (de Cheveigne and Kawahara, 2002). Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FRAME_MS = 5
_LOWEST_HZ, _HIGHEST_HZ = 60.0, 500.0
# The difference function at the period, normalised. A frame above this is not voiced.
_THRESHOLD = 0.15
_LEAST_DBFS = -45.0


def f0_hz(wave: NDArray[np.float32], rate_hz: int) -> NDArray[np.float64]:
    """Of each frame of 5 ms, with 0 for an unvoiced one. A frame's value is that of the two longest periods around
    it."""
    hop, longest, shortest = FRAME_MS * rate_hz // 1000, int(rate_hz / _LOWEST_HZ), int(rate_hz / _HIGHEST_HZ)
    frames = len(wave) // hop
    if frames == 0:
        return np.zeros(0)
    padded = np.pad(wave.astype(np.float64), (longest, longest + hop))
    pieces = np.lib.stride_tricks.sliding_window_view(padded, 2 * longest)[: frames * hop : hop]
    found = np.zeros(frames)
    for first in range(0, frames, 512):
        part = pieces[first : first + 512]
        found[first : first + len(part)] = _periods(part, longest, shortest, rate_hz)
    return found


def _periods(pieces: NDArray[np.float64], longest: int, shortest: int, rate_hz: int) -> NDArray[np.float64]:
    size = 1 << (3 * longest - 1).bit_length()
    spectrum = np.fft.rfft(pieces, size)
    fixed = np.fft.rfft(pieces[:, :longest], size)
    correlation = np.fft.irfft(spectrum * fixed.conj(), size)[:, : longest + 1]
    power = np.cumsum(np.pad(np.square(pieces), ((0, 0), (1, 0))), 1)
    energy = power[:, longest : 2 * longest + 1] - power[:, : longest + 1]
    difference = energy[:, :1] + energy - 2 * correlation
    lags = np.arange(1, longest + 1)
    normalised = difference[:, 1:] * lags / np.maximum(np.cumsum(difference[:, 1:], 1), 1e-12)
    normalised = np.concatenate([np.ones((len(pieces), 1)), normalised], 1)
    result = np.zeros(len(pieces))
    levels = 10 * np.log10(energy[:, 0] / longest + 1e-12)
    for row in np.flatnonzero(levels > _LEAST_DBFS):
        below = np.flatnonzero(normalised[row, shortest:longest] < _THRESHOLD)
        if len(below):
            lag = shortest + int(below[0])
            while lag + 1 < longest and normalised[row, lag + 1] < normalised[row, lag]:
                lag += 1
            a, b, c = normalised[row, lag - 1 : lag + 2]
            bend = a - 2 * b + c
            result[row] = rate_hz / (lag + (0.5 * (a - c) / bend if bend else 0.0))
    return result
