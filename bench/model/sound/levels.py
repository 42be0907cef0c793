"""Levels of a wave: its silences, its bursts, its pauses, its edges. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Wave = NDArray[np.float32]

FRAME_MS = 5
EDGE_MS = 60
# A frame below this is silence.
SILENT_DBFS = -50.0
# A burst is shorter than this, louder than that, and has so much silence on either side.
BURST_MS, BURST_DBFS, AROUND_BURST_MS = 35, -40.0, 80
# An inner silence of this length is a pause, a shorter one may be part of a stop.
PAUSE_MS = 150
GAP_MS = 60
# A line is so much louder than the spectrum around it.
LINE_DB = 15.0
# A line that is softer than this is not heard.
_LEAST_LINE_DBFS = -75.0
_LINE_FFT, _LINE_AROUND_BINS = 2048, 12
_CLIPPED = 32766 / 32768


@dataclass(frozen=True)
class Silence:
    """A run of silent frames, in samples."""

    start: int
    end: int


def level_dbfs(wave: Wave) -> float:
    """Root mean square. An empty wave is silent."""
    return float(20 * np.log10(np.sqrt(np.mean(np.square(wave, dtype=np.float64))) + 1e-6)) if len(wave) else -120.0


def edges_dbfs(wave: Wave, rate_hz: int) -> tuple[float, float]:
    """Of the first and of the last 60 ms."""
    samples = EDGE_MS * rate_hz // 1000
    return level_dbfs(wave[:samples]), level_dbfs(wave[-samples:])


def frames_dbfs(wave: Wave, rate_hz: int) -> NDArray[np.float64]:
    """Of each frame of 5 ms."""
    samples = FRAME_MS * rate_hz // 1000
    frames = wave[: len(wave) // samples * samples].reshape(-1, samples).astype(np.float64)
    levels: NDArray[np.float64] = 20 * np.log10(np.sqrt(np.mean(np.square(frames), 1)) + 1e-6)
    return levels


def runs(flags: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """The runs of true values, as (first, end)."""
    changes = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    yield from ((int(first), int(end)) for first, end in zip(changes[::2], changes[1::2], strict=True))


def silences(wave: Wave, rate_hz: int, least_ms: float = 0) -> list[Silence]:
    """All silences of at least this length."""
    samples = FRAME_MS * rate_hz // 1000
    found = runs(frames_dbfs(wave, rate_hz) < SILENT_DBFS)
    return [Silence(a * samples, b * samples) for a, b in found if (b - a) * FRAME_MS >= least_ms]


def bursts_s(wave: Wave, rate_hz: int) -> list[float]:
    """When each isolated burst begins. The wave's ends count as silence."""
    levels = frames_dbfs(wave, rate_hz)
    around = AROUND_BURST_MS // FRAME_MS
    quiet = np.concatenate([np.ones(around, bool), levels < SILENT_DBFS, np.ones(around, bool)])
    found = []
    for first, end in runs(~quiet):
        loud = levels[first - around : end - around].max() > BURST_DBFS
        alone = quiet[first - around : first].all() and quiet[end : end + around].all()
        if loud and alone and (end - first) * FRAME_MS < BURST_MS:
            found.append((first - around) * FRAME_MS / 1000)
    return found


def lines_hz(wave: Wave, rate_hz: int) -> list[float]:
    """The frequencies of narrow lines in the pauses: peaks of their mean spectrum far above what is around them."""
    window = np.hanning(_LINE_FFT)
    powers = [
        np.square(np.abs(np.fft.rfft(wave[at : at + _LINE_FFT] * window))) * 8 / 3 / _LINE_FFT**2 * 2
        for silence in silences(wave, rate_hz, PAUSE_MS)
        for at in range(silence.start, silence.end - _LINE_FFT + 1, _LINE_FFT // 2)
    ]
    if not powers:
        return []
    spectrum_db = 10 * np.log10(np.mean(powers, 0) + 1e-14)
    padded = np.pad(spectrum_db, _LINE_AROUND_BINS, mode="reflect")
    around_db = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * _LINE_AROUND_BINS + 1), 1)
    stands_out = (spectrum_db > around_db + LINE_DB) & (spectrum_db > _LEAST_LINE_DBFS)
    return [round(float(np.mean([first, end - 1])) * rate_hz / _LINE_FFT) for first, end in runs(stands_out)]


def clipped(wave: Wave) -> int:
    """Samples at the limit."""
    return int(np.count_nonzero(np.abs(wave) >= _CLIPPED))
