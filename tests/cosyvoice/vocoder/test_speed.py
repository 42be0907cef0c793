"""Speed by interpolation of mel."""

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


@given(st.floats(0.5, 2.0), st.lists(st.integers(0, 60), min_size=1, max_size=8))
@settings(max_examples=200, deadline=None)
def test_streamed_equals_offline(speed: float, sizes: list[int]) -> None:
    """Any cut of the mel gives the same frames."""
    sizes = [*sizes, 5]
    mel = torch.randn(4, sum(sizes), generator=torch.Generator().manual_seed(1))
    stream = MelSpeed(speed)
    pieces = [stream.feed(piece, i == len(sizes) - 1) for i, piece in enumerate(mel.split(sizes, 1))]
    whole = MelSpeed(speed).feed(mel, True)
    assert torch.cat(pieces, 1).shape == whole.shape
    assert torch.allclose(torch.cat(pieces, 1), whole, atol=1e-5)
    assert whole.shape[1] == int(sum(sizes) / speed)


def test_speed_one_passes_through() -> None:
    """Speed 1 changes nothing."""
    mel = torch.randn(80, 7)
    assert torch.equal(MelSpeed(1.0).feed(mel, False), mel)


@pytest.mark.parametrize("speed", [0.0, 0.49, 2.1, float("nan"), -1.0])
def test_speeds_out_of_range_are_refused(speed: float) -> None:
    """The error names the range."""
    with pytest.raises(ValueError, match=r"0\.5 to 2\.0"):
        MelSpeed(speed)
