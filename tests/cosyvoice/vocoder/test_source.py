"""Harmonic excitation and its phase."""

import math

import pytest
import torch

from cosyvoice.config import VocoderConfig
from cosyvoice.vocoder.source import HarmonicSource, Phase

CONFIG = VocoderConfig(base_channels=64, f0_channels=32)


@pytest.fixture(scope="module")
def source() -> HarmonicSource:
    torch.manual_seed(0)
    return HarmonicSource(CONFIG).requires_grad_(False)


def start() -> torch.Tensor:
    return torch.zeros(1, 9, dtype=torch.float64)


def test_the_phase_is_a_staircase_of_f0_sums(source: HarmonicSource) -> None:
    """Within a frame the tone is constant; harmonic h of frame n is sin(2 pi h 0.02 s * sum of f0 up to n)."""
    f0 = torch.tensor([[110.0, 123.0, 140.0]], dtype=torch.float64)
    sines = source.sines(source.advance(f0, start(), "fp64"), "fp64")
    expected = torch.sin(2 * math.pi * 0.02 * f0.cumsum(1)[..., None] * torch.arange(1, 10))
    assert torch.allclose(sines.double(), expected, atol=1e-6)
    wave = source(f0, sines, torch.zeros(1, 3, 480)).view(3, 480)
    assert torch.equal(wave, wave[:, :1].expand(3, 480)) and wave[:, 0].unique().numel() == 3


@pytest.mark.parametrize("phase", ["fp32", "fp64"])
def test_a_carried_phase_goes_on_as_if_uncut(source: HarmonicSource, phase: Phase) -> None:
    """Pieces of f0 give the sines of the whole, whatever the cuts."""
    f0 = torch.rand(1, 500, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 300
    whole = source.advance(f0, start(), phase)
    pieces, carried = [], start()
    for piece in f0.split([1, 2, 97, 300, 100], dim=1):
        pieces.append(source.advance(piece, carried, phase))
        carried = pieces[-1][:, -1]
    difference = source.sines(torch.cat(pieces, 1), phase) - source.sines(whole, phase)
    assert difference.abs().max() < 1e-7


def test_fp64_stays_exact_for_an_hour_where_fp32_does_not(source: HarmonicSource) -> None:
    """After 180,000 frames at 200.3 Hz the sine is right to 1e-6; the original's has drifted."""
    frames = 180_000
    f0 = torch.full((1, frames), 200.3, dtype=torch.float64)
    exact = math.sin(2 * math.pi * (200.3 * 0.02 * frames % 1))
    wrapped = source.advance(f0, start(), "fp64")
    assert wrapped.max() < 1
    assert abs(source.sines(wrapped, "fp64")[0, -1, 0].item() - exact) < 1e-6
    original = source.sines(source.advance(f0, start(), "fp32"), "fp32")[0, -1, 0]
    assert abs(original.item() - exact) > 1e-3


def test_unvoiced_frames_are_noise_and_voiced_ones_nearly_none(source: HarmonicSource) -> None:
    """Below 10 Hz the tone is off and noise has a third of the sine's amplitude; above it 0.003."""
    f0 = torch.tensor([[9.0, 200.0]], dtype=torch.float64)
    noise = torch.rand(1, 2, 480, 9, generator=torch.Generator().manual_seed(2))
    sines = torch.full((1, 2, 9), 0.5)
    wave = source(f0, sines, source.mix_noise(noise)).view(2, 480)
    unvoiced = torch.tanh(source.l_linear(noise[0, 0] * (0.1 / 3)))[:, 0]
    voiced = torch.tanh(source.l_linear(0.5 * 0.1 + noise[0, 1] * 0.003))[:, 0]
    assert torch.allclose(wave[0], unvoiced, atol=1e-6) and torch.allclose(wave[1], voiced, atol=1e-6)
