"""The up-sampling convolution, against the repeated signal that it does not make."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cosyvoice.vocoder.upsampling import UpsamplingConv1d

SHAPES = [(16, 8), (11, 5), (7, 3), (4, 4), (5, 2)]  # kernel, rate


def _repeated(layer: UpsamplingConv1d, x: Tensor) -> Tensor:
    """The same with every step repeated, and zeros before the first."""
    padded = F.pad(x.repeat_interleave(layer.rate, 2), (layer.kernel_size[0] - 1, 0))
    return F.conv1d(padded, layer.weight, layer.bias)


@pytest.mark.parametrize(("kernel", "rate"), SHAPES)
@pytest.mark.parametrize("packed", [False, True])
def test_it_is_the_convolution_of_the_repeated_signal(kernel: int, rate: int, packed: bool) -> None:
    """All outputs, and those of any window with enough steps before it, are those of the repeated signal."""
    torch.manual_seed(0)
    layer = UpsamplingConv1d(6, 4, kernel, rate).double()
    x = torch.randn(2, 6, 9, dtype=torch.float64)
    expected = _repeated(layer, x)
    if packed:
        layer.pack()
    assert torch.allclose(layer(x), expected, atol=1e-12)
    for first in (1, 3):
        for start in range(first * rate + kernel - 1, 9 * rate - 1):
            window = layer(x[..., first:], start - first * rate, 9 * rate - 1 - first * rate)
            assert torch.allclose(window, expected[..., start : 9 * rate - 1], atol=1e-12)


def test_gradients_reach_the_weights_that_are_not_packed() -> None:
    """The gradient is that of the repeated signal."""
    torch.manual_seed(1)
    layer = UpsamplingConv1d(3, 2, 7, 3).double()
    x = torch.randn(1, 3, 5, dtype=torch.float64)
    grads = []
    for y in (layer(x), _repeated(layer, x)):
        layer.zero_grad()
        y.square().sum().backward()
        assert layer.weight.grad is not None
        grads.append(layer.weight.grad.clone())
    assert torch.allclose(grads[0], grads[1], atol=1e-9)
