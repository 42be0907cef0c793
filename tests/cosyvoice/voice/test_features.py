"""Features against numbers of the original code (tests/golden/frontend.safetensors), by any FFT."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from cosyvoice.parity.features import amplitude_deviation, feature_cases
from cosyvoice.parity.golden import Golden, deviation
from cosyvoice.voice.features import fbank, fbank_minus_mean, mel_24k, resample, whisper_log_mel
from tests.paths import GOLDEN_DIR

GOLDEN = Golden(GOLDEN_DIR)
TORCH_RFFT = torch.fft.rfft


def pocketfft(frames: Tensor, n: int) -> Tensor:
    """numpy's FFT, in the precision of the frames."""
    return torch.from_numpy(np.fft.rfft(frames.numpy(), n))


def in_fp32(fft: Callable[[Tensor, int], Tensor]) -> Callable[[Tensor, int], Tensor]:
    """An FFT of fp32 numbers, as the original has it."""
    return lambda frames, n: fft(frames.float(), n).to(torch.complex128)


FFTS = {
    "torch fp64": TORCH_RFFT,
    "torch fp32": in_fp32(TORCH_RFFT),
    "pocketfft fp64": pocketfft,
    "pocketfft fp32": in_fp32(pocketfft),
}


@pytest.fixture(scope="module")
def golden() -> dict[str, Tensor]:
    """The original's inputs and outputs."""
    return GOLDEN.tensors("frontend")[0]


def features(golden: dict[str, Tensor]) -> list[Tensor]:
    """Mel, Whisper log-mel and filter banks of the recorded waves."""
    wave_16k = golden["wav16k_resampled"][0]
    return [mel_24k(golden["wav24k"][0]), whisper_log_mel(wave_16k), fbank(wave_16k), fbank_minus_mean(wave_16k)]


@pytest.mark.parametrize("fft", FFTS)
def test_features_match_the_original_by_any_fft(fft: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mel, Whisper log-mel and filter banks are the original's, as near as two fp32 computations are."""
    monkeypatch.setattr(torch.fft, "rfft", FFTS[fft])
    cases = list(feature_cases(GOLDEN))
    assert len(cases) == 3 and [case for case in cases if not case.passed] == []


def test_features_are_the_same_by_another_fft(golden: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    """In fp64 another FFT gives the same fp32 features in every band, loud or quiet."""
    ours = features(golden)
    monkeypatch.setattr(torch.fft, "rfft", pocketfft)
    for one, other in zip(ours, features(golden), strict=True):
        # Where a number lies half-way between two of fp32 it may be rounded to either; below 16 they are 2**-20 apart.
        assert deviation(one, other) <= 2.0**-20
        assert (one != other).float().mean() < 1e-3


def test_a_quiet_band_may_differ_by_more_than_a_loud_one() -> None:
    """A deviation counts by the amplitude of its band over the loudest of the frame; other shapes never match."""
    level = torch.tensor([[0.0, -8.0], [-8.0, -16.0]])
    for band, counted in ((0, 1e-3), (1, 1e-3 * np.exp(-8))):
        moved = level.clone()
        moved[1, band] += 1e-3
        assert amplitude_deviation(moved, level, level) == pytest.approx(counted, rel=1e-2)
    assert amplitude_deviation(level[:1], level, level) == float("inf")


@pytest.mark.parametrize(
    ("source", "from_hz", "target"), [("wav24k", 24000, "wav16k_resampled"), ("wav44k", 44100, "wav44k_to_16k")]
)
def test_resample_matches_original(golden: dict[str, Tensor], source: str, from_hz: int, target: str) -> None:
    """Resampling to 16 kHz gives the original's samples."""
    assert deviation(resample(golden[source][0], from_hz, 16000), golden[target][0]) < 1e-6


def test_resample_to_same_rate_is_identity() -> None:
    """A wave that already has the wanted rate is returned as it is."""
    wave = torch.arange(10.0)
    assert resample(wave, 16000, 16000) is wave


def test_silence_gives_finite_features() -> None:
    """Digital silence has finite features: logarithms are floored."""
    for floored in (mel_24k(torch.zeros(24000)), whisper_log_mel(torch.zeros(16000)), fbank(torch.zeros(16000))):
        assert torch.isfinite(floored).all()
    assert fbank_minus_mean(torch.zeros(16000)).abs().max() < 1e-5
