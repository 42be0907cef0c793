"""Loudness of a mel beside ffmpeg's measure of the wave, and gains that do not clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from bench.model.ebur128 import loudness
from cosyvoice.voice.features import mel_24k, resample
from cosyvoice.voice.loudness import CEILING, KNEE, amplify, gain_db, mel_loudness_lufs
from cosyvoice.voice.recording import read_wave
from cosyvoice.voice.store import SHIPPED_VOICES

RECORDINGS = sorted(SHIPPED_VOICES.glob("*.wav"))


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
@pytest.mark.parametrize("gain", [1.0, 0.1])
def test_the_loudness_of_speech_is_told_from_its_mel(path: Path, gain: float) -> None:
    """Within 2 LU of what ffmpeg measures, for loud and quiet recordings."""
    wave, rate_hz = read_wave(path)
    louder = resample(torch.from_numpy(wave.astype(np.float32) * gain), rate_hz, 24000)
    expected = loudness(louder.numpy(), 24000).integrated_lufs
    assert abs(mel_loudness_lufs(mel_24k(louder).T) - expected) < 2.0


def test_pauses_do_not_count() -> None:
    """Speech with as much silence after it is as loud as without."""
    wave, rate_hz = read_wave(RECORDINGS[0])
    mel = mel_24k(resample(torch.from_numpy(wave.astype(np.float32)), rate_hz, 24000)).T
    padded = torch.cat([mel, torch.full_like(mel, -11.5)], 1)
    assert abs(mel_loudness_lufs(padded) - mel_loudness_lufs(mel)) < 0.3


@pytest.mark.parametrize("frames", [1, 5, 100])
def test_silence_is_at_the_gate(frames: int) -> None:
    """A mel without any sound has the lowest loudness there is, however short."""
    assert mel_loudness_lufs(torch.full((80, frames), -11.5)) == -70.0


def test_gains_are_bounded() -> None:
    """What seems silent is not made 50 dB louder."""
    assert gain_db(-26.0, -23.0) == pytest.approx(3.0) and gain_db(-15.9, -23.0) == pytest.approx(-7.1)
    assert gain_db(-70.0, -23.0) == 12.0 and gain_db(-1.0, -23.0) == -12.0


def test_without_a_gain_samples_stay_as_they_are() -> None:
    """The very tensor, peaks included."""
    wave = torch.tensor([0.99, -0.5, 0.0])
    assert amplify(wave, None) is wave


def test_a_gain_multiplies_below_the_knee_and_never_passes_the_ceiling() -> None:
    """Quiet samples are exactly louder; loud ones are below the ceiling, in their order and with their sign."""
    quiet = torch.linspace(-0.29, 0.29, 101, dtype=torch.float64)
    torch.testing.assert_close(amplify(quiet, 6.0), quiet * 10**0.3, rtol=1e-12, atol=1e-15)
    loud = torch.linspace(0.31, 0.99, 101, dtype=torch.float64)
    made = amplify(loud, 6.0)
    assert float(made.min()) > KNEE and float(made.max()) <= CEILING and bool((made.diff() > 0).all())
    assert torch.equal(amplify(-loud, 6.0), -made)


def test_a_gain_does_not_depend_on_how_a_stream_is_cut() -> None:
    """Pieces give the samples of the whole."""
    wave = torch.rand(1000, generator=torch.Generator().manual_seed(0)) * 2 - 1
    pieces = [amplify(piece, 3.0) for piece in wave.split([1, 480, 19, 500])]
    assert torch.equal(torch.cat(pieces), amplify(wave, 3.0))
