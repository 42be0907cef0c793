"""Manners of speaking: what is done to a teacher's plain sound to make it fast, soft, cheerful ..., by WORLD."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosyvoice.nano.corpus.teachers import SAMPLE_RATE, Wave
from cosyvoice.nano.f0 import HIGHEST_HZ, LOWEST_HZ, world_f0

_FRAME_MS = 5.0
_TILT_FROM_HZ, _TILT_TO_HZ = 250.0, 8000.0
_BREATH_FROM_HZ = 1000.0
_PEAK = 0.95
_SILENT = 1e-12


@dataclass(frozen=True)
class Manner:
    """How a style differs from plain speech.

    rate: times as fast; pitch: factor on f0; span: factor on its excursions (of the logarithm) around its mean;
    gain_db: of the whole sound; tilt_db: for each octave above 250 Hz; breath: the part of the voice above 1 kHz that
    becomes noise.
    """

    rate: float = 1.0
    pitch: float = 1.0
    span: float = 1.0
    gain_db: float = 0.0
    tilt_db: float = 0.0
    breath: float = 0.0

    def __call__(self, wave: Wave) -> Wave:
        """A wave [samples] at 24 kHz spoken in this manner [about samples / rate]."""
        import pyworld

        sound = wave.astype(np.float64)
        f0, times = world_f0(sound, _FRAME_MS)
        spectrum = pyworld.cheaptrick(sound, f0, times, SAMPLE_RATE, f0_floor=LOWEST_HZ)
        noise = pyworld.d4c(sound, f0, times, SAMPLE_RATE, fft_size=2 * (spectrum.shape[1] - 1))
        hz = np.linspace(0, SAMPLE_RATE / 2, spectrum.shape[1])
        at: NDArray[np.float64] = np.arange(0, len(f0) - 1, self.rate, dtype=np.float64)
        made = pyworld.synthesize(
            self._pitch(f0)[np.rint(at).astype(int)],
            np.exp(_between(np.log(np.maximum(spectrum, _SILENT)), at)) * self._slope(hz),
            _between(self._noisier(noise, hz), at),
            SAMPLE_RATE,
            _FRAME_MS,
        )
        return _limited(made * _level(sound) / max(_level(made), _SILENT) * 10 ** (self.gain_db / 20))

    def _pitch(self, f0: NDArray[np.float64]) -> NDArray[np.float64]:
        voiced = f0 > 0
        if not voiced.any():
            return f0
        mean = np.exp(np.log(f0[voiced]).mean())
        moved = np.where(voiced, mean * self.pitch * (np.where(voiced, f0, mean) / mean) ** self.span, 0.0)
        return np.where(voiced, np.clip(moved, LOWEST_HZ, HIGHEST_HZ), 0.0)

    def _slope(self, hz: NDArray[np.float64]) -> NDArray[np.float64]:
        """Factors on the power at frequencies."""
        octaves = np.log2(np.clip(hz, _TILT_FROM_HZ, _TILT_TO_HZ) / _TILT_FROM_HZ)
        return np.asarray(10 ** (self.tilt_db * octaves / 10))

    def _noisier(self, noise: NDArray[np.float64], hz: NDArray[np.float64]) -> NDArray[np.float64]:
        above = np.clip(np.log2(np.maximum(hz, 1.0) / _BREATH_FROM_HZ), 0.0, 1.0)
        return np.asarray(noise + self.breath * above * (1 - noise))


# In the order in which texts are given to them.
MANNERS = {
    "fast": Manner(rate=1.3),
    "slow": Manner(rate=0.77),
    "soft": Manner(gain_db=-9.0, tilt_db=-2.5, breath=0.5, pitch=0.97),
    "loud": Manner(gain_db=5.0, tilt_db=1.5, pitch=1.06),
    # The codes hardly carry pitch but carry tilt: by a little of it the flow knows that the pitch is another one.
    "cheerful": Manner(pitch=1.15, span=1.4, rate=1.08, gain_db=2.0, tilt_db=0.6),
    "calm": Manner(pitch=0.95, span=0.6, rate=0.92, gain_db=-2.0, tilt_db=-0.8),
}
# What the codes of these say, the flow knows from plain speech.
PLAIN_SOUND = ("fast", "slow")


def style_tag(style: str) -> str:
    """The special token that asks the talker for a style."""
    return f"<|{style}|>"


def _between(rows: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows at fractional places."""
    below = np.minimum(at.astype(int), len(rows) - 2)
    part = (at - below)[:, None]
    return np.ascontiguousarray(rows[below] * (1 - part) + rows[below + 1] * part)


def _level(sound: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(np.square(sound))))


def _limited(sound: NDArray[np.float64]) -> Wave:
    """Peaks that would be cut off are bent instead."""
    knee = _PEAK / 2
    over = np.maximum(np.abs(sound) - knee, 0.0)
    bent = np.sign(sound) * (np.minimum(np.abs(sound), knee) + knee * np.tanh(over / knee))
    return np.asarray(bent, np.float32)
