"""Pitch of every utterance and the phase of its fundamental: by them the vocoder's excitation lies on the recording."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosyvoice.nano.corpus.stage import Corpus
from cosyvoice.nano.corpus.teachers import SAMPLE_RATE, Wave
from cosyvoice.nano.data.features import whole_codes
from cosyvoice.nano.data.store import Entry, FeatureStore
from cosyvoice.nano.f0 import world_f0
from cosyvoice.nano.progress import Progress
from cosyvoice.voice.features import MEL_HOP

_VOICED_HZ = 10.0
_FRAME_S = MEL_HOP / SAMPLE_RATE
_WINDOW = 600  # samples over which the fundamental's phase is measured
_FARTHEST_HZ = 25.0  # a refined pitch further from the estimate is wrong


class PitchStore:
    """Pitch in the order of the features."""

    def __init__(self, features: FeatureStore) -> None:
        self._features = features
        self.path = features.folder / "pitch.f32"
        self._read()

    @property
    def entries(self) -> list[Entry]:
        """The utterances whose pitch is there."""
        return [e for e in self._features.entries if e.start + e.frames <= len(self._pitch)]

    def of(self, entry: Entry) -> NDArray[np.float32]:
        """[frames, 2]: f0 in Hz (0: unvoiced), and the phase of the fundamental at the frame's end in radians."""
        return self._pitch[entry.start : entry.start + entry.frames]

    def complete(self, corpus: Corpus) -> None:
        """Computes what is missing."""
        known = len(self._pitch)
        missing = [e for e in self._features.entries if e.start >= known]
        progress = Progress("pitch", sum(e.utterance.seconds for e in missing) / 3600, "h")
        with self.path.open("r+b" if self.path.exists() else "w+b") as file:
            file.seek(known * 8)
            for entry in missing:
                wave = whole_codes(corpus.wave(entry.utterance))
                file.write(pitch_of(wave).tobytes())
                progress.add(entry.utterance.seconds / 3600)
            file.truncate()
        self._read()

    def _read(self) -> None:
        values = np.fromfile(self.path, np.float32) if self.path.exists() else np.zeros(0, np.float32)
        self._pitch = values[: len(values) // 2 * 2].reshape(-1, 2)


def pitch_of(wave: Wave) -> NDArray[np.float32]:
    """f0 and phase [frames, 2] of a wave with a whole number of frames at 24 kHz."""
    frames = len(wave) // MEL_HOP
    estimate = _estimate(wave.astype(np.float64), frames)
    voiced = estimate > _VOICED_HZ
    found = np.zeros((frames, 2), np.float32)
    if not voiced.any():
        return found
    # The estimate's own phase, from which the recording's differs slowly.
    filled = np.interp(np.arange(frames), np.flatnonzero(voiced), estimate[voiced])
    hz = np.interp(np.arange(len(wave)), np.arange(frames) * MEL_HOP + MEL_HOP / 2, filled)
    turned = 2 * np.pi * np.cumsum(hz) / SAMPLE_RATE
    at = np.minimum(np.arange(frames + 1) * MEL_HOP, len(wave) - 1)
    phase = turned[at] + np.angle(_smooth((wave - wave.mean()) * np.exp(-1j * turned))[at])
    expected = np.diff(turned[at])
    advance = expected + (np.diff(phase) - expected + np.pi) % (2 * np.pi) - np.pi
    refined = advance / (2 * np.pi * _FRAME_S)
    kept = np.where(np.abs(refined - filled) < _FARTHEST_HZ, refined, filled)
    found[:, 0] = np.where(voiced, kept, 0.0)
    found[:, 1] = phase[1:] % (2 * np.pi)
    return found


def _estimate(wave: NDArray[np.float64], frames: int) -> NDArray[np.float64]:
    """WORLD's f0 [frames] at the middle of each frame."""
    middle = np.concatenate([wave[MEL_HOP // 2 :], np.zeros(MEL_HOP // 2 + MEL_HOP)])
    return world_f0(middle, 1000 * _FRAME_S)[0][:frames]


def _smooth(signal: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """The signal's average under a window, centred."""
    window = np.hanning(_WINDOW + 2)[1:-1]
    size = len(signal) + _WINDOW
    whole = np.fft.ifft(np.fft.fft(signal, size) * np.fft.fft(window / window.sum(), size))
    return np.asarray(whole[_WINDOW // 2 : _WINDOW // 2 + len(signal)])


def run(work: Path) -> None:
    """Computes what is missing."""
    PitchStore(FeatureStore(work)).complete(Corpus(work))
