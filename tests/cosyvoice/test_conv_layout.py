"""The layout of a convolution's weight."""

from __future__ import annotations

import torch

from cosyvoice.conv_layout import by_channels


def test_by_channels_changes_the_layout_alone() -> None:
    """A float32 weight on a CPU keeps its values and shape; others stay as they are."""
    weight = torch.randn(4, 3, 5)
    packed = by_channels(weight)
    assert torch.equal(packed, weight)
    assert packed.stride() == (15, 1, 3)
    double = weight.double()
    assert by_channels(double) is double
