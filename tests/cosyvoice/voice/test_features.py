"""Features against numbers of the original code (tests/golden/frontend.safetensors)."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from cosyvoice.voice.features import fbank_minus_mean, mel_24k, resample, whisper_log_mel
from tests.paths import GOLDEN_DIR

GOLDEN = GOLDEN_DIR / "frontend.safetensors"


@pytest.fixture(scope="module")
def golden() -> dict[str, Tensor]:
    """The original's inputs and outputs."""
    return load_file(GOLDEN)


def deviation(ours: Tensor, golden: Tensor) -> float:
    """The largest difference of two tensors of one shape."""
    assert ours.shape == golden.shape
    return float((ours - golden).abs().max())


def test_mel_24k_matches_original(golden: dict[str, Tensor]) -> None:
    """The 24 kHz mel is the original's to float32 rounding, one frame per 480 samples."""
    assert deviation(mel_24k(golden["wav24k"][0]), golden["mel24k"][0].T) < 2e-6


def test_whisper_log_mel_matches_original(golden: dict[str, Tensor]) -> None:
    """The Whisper log-mel is the original's to float32 rounding."""
    assert deviation(whisper_log_mel(golden["wav16k_resampled"][0]), golden["whisper_logmel128"][0]) < 1e-6


def test_fbank_matches_original(golden: dict[str, Tensor]) -> None:
    """The Kaldi filter banks less their mean are the original's."""
    ours = fbank_minus_mean(golden["wav16k_resampled"][0])
    assert deviation(ours, golden["fbank80_minus_mean"]) < 1e-5
    assert deviation(ours, golden["fbank80"] - golden["fbank80"].mean(0, keepdim=True)) < 1e-5


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
    for features in (mel_24k(torch.zeros(24000)), whisper_log_mel(torch.zeros(16000))):
        assert torch.isfinite(features).all()
    assert fbank_minus_mean(torch.zeros(16000)).abs().max() < 1e-5
