"""Speed by interpolation of mel."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from cosyvoice.vocoder.speed import MelSpeed


def test_offline_is_torchs_interpolation() -> None:
    """At a speed that divides the length it is the original's interpolate()."""
    mel = torch.randn(80, 300, generator=torch.Generator().manual_seed(0))
    expected = F.interpolate(mel[None], size=240, mode="linear")[0]
    assert (MelSpeed(1.25).feed(mel, True) - expected).abs().max() < 1e-5


@given(st.floats(0.5, 2.0), st.lists(st.integers(0, 60), min_size=1, max_size=8), st.booleans())
@settings(max_examples=200, deadline=None)
def test_streamed_equals_offline(speed: float, sizes: list[int], keeps_energy: bool) -> None:
    """Any cut of the mel gives the same frames, also after a restart from each record."""
    sizes = [*sizes, 5]
    mel = torch.randn(4, sum(sizes), generator=torch.Generator().manual_seed(1))
    stream, pieces = MelSpeed(speed, keeps_energy=keeps_energy), []
    for i, piece in enumerate(mel.split(sizes, 1)):
        pieces.append(stream.feed(piece, i == len(sizes) - 1))
        stream = MelSpeed.restore(stream.resume_record(), keeps_energy=keeps_energy)
    whole = MelSpeed(speed, keeps_energy=keeps_energy).feed(mel, True)
    assert torch.cat(pieces, 1).shape == whole.shape
    assert torch.allclose(torch.cat(pieces, 1), whole, atol=1e-5)
    assert whole.shape[1] == int(sum(sizes) / speed)


@pytest.mark.parametrize("speed", [0.5, 0.8, 1.25, 1.5, 2.0])
def test_the_energy_of_changing_mel_is_kept(speed: float) -> None:
    """Where each band goes up and down by 20 dB several times a second. The mean of logarithms loses a part of it."""
    wave = torch.sin(torch.arange(2000) / torch.linspace(0.8, 4.0, 80)[:, None]) * 1.15
    powers = [
        torch.exp(2 * MelSpeed(speed, keeps_energy=keeps).feed(wave, True)).mean() / torch.exp(2 * wave).mean()
        for keeps in (True, False)
    ]
    assert abs(10 * torch.log10(powers[0])) < 0.2
    assert powers[1] < powers[0]


@pytest.mark.parametrize(("speed", "gain_db"), [(2.0, 1.5), (0.5, -1.5), (1.0, 0.0), (2**0.5, 0.75)])
def test_the_gain_grows_with_each_octave_of_speed(speed: float, gain_db: float) -> None:
    """A steady mel keeps its shape."""
    mel = torch.full((80, 100), -3.0)
    for keeps in (True, False):
        out = MelSpeed(speed, keeps_energy=keeps, gain_db_per_octave=1.5).feed(mel, True)
        assert (out - mel[:, :1] - gain_db * math.log(10) / 20).abs().max() < 1e-5


@pytest.mark.parametrize("speed", [1.1, 1.5, 2.0])
def test_fast_mel_is_as_smooth_as_the_window_of_a_frame_makes_it(speed: float) -> None:
    """The energy of a click spreads over the frames as it would if the speech itself were so fast: the variance of the
    window, in frames, does not shrink."""
    window = torch.hann_window(1920, dtype=torch.float64).square()
    at = (torch.arange(1920, dtype=torch.float64) - 960) / 480  # in frames
    deviations = []
    for click in torch.linspace(40.0, 41.0, 11, dtype=torch.float64):
        frames = torch.arange(81, dtype=torch.float64)
        energy = torch.cat([torch.zeros(1), window.float()])[
            (((frames - click) * 480 + 961).round().clamp(0, 1920) * ((frames - click).abs() < 2)).long()
        ]
        mel = torch.log(energy.clamp_min(1e-10))[None] / 2
        fast = torch.exp(2 * MelSpeed(speed, keeps_energy=True).feed(mel, True))[0].double()
        place = torch.arange(len(fast), dtype=torch.float64)
        mean = (fast * place).sum() / fast.sum()
        deviations.append(float((fast * (place - mean).square()).sum() / fast.sum()) ** 0.5)
    own = float((window * at.square()).sum() / window.sum()) ** 0.5
    assert sum(deviations) / len(deviations) == pytest.approx(own, rel=0.2)


def test_speed_one_passes_through() -> None:
    """Speed 1 changes nothing."""
    mel = torch.randn(80, 7)
    assert torch.equal(MelSpeed(1.0).feed(mel, False), mel)


@pytest.mark.parametrize("speed", [0.0, 0.49, 2.1, float("nan"), -1.0])
def test_speeds_out_of_range_are_refused(speed: float) -> None:
    """The error names the range."""
    with pytest.raises(ValueError, match=r"0\.5 to 2\.0"):
        MelSpeed(speed)
