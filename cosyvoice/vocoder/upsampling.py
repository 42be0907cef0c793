"""The vocoder's up-sampling convolution."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cosyvoice.conv_layout import by_channels


class UpsamplingConv1d(nn.Conv1d):
    """A causal convolution of a signal in which every step is repeated `rate` times.

    The repeated signal is not made. Taps that meet the same input step are added up first, for each of the `rate`
    outputs that a step gives. With a kernel of 16 and a rate of 8 that leaves 3 taps of 16.
    """

    taps: Tensor

    def __init__(self, in_channels: int, out_channels: int, kernel: int, rate: int) -> None:
        super().__init__(in_channels, out_channels, kernel)
        self.rate = rate
        # Input steps before its own that an output sees.
        self.back = -(-(kernel - 1) // rate)
        # [kernel, rate, back + 1]: 1 where a tap of an output meets an input step.
        taps = torch.zeros(kernel, rate, self.back + 1)
        for tap in range(kernel):
            for output in range(rate):
                taps[tap, output, self.back + (output + tap - kernel + 1) // rate] = 1
        self.register_buffer("taps", taps, persistent=False)
        self._packed: tuple[Tensor, Tensor] | None = None

    def pack(self) -> None:
        """Adds up the taps once and for all: the weights must not change any more."""
        with torch.no_grad():
            self._packed = self._summed()

    def _summed(self) -> tuple[Tensor, Tensor]:
        """The weight [rate * out_channels, in_channels, back + 1] and the bias [rate * out_channels] for the outputs of
        one input step."""
        assert self.bias is not None
        weight = torch.einsum("oik,kpm->poim", self.weight, self.taps.to(self.weight)).flatten(0, 1)
        return by_channels(weight), self.bias.repeat(self.rate)

    def forward(self, x: Tensor, start: int = 0, stop: int | None = None) -> Tensor:
        """[B, in_channels, n] -> [B, out_channels, stop - start]: the outputs from `start` to `stop`, counted from the
        first one of x; None: to the last one. Before x are zeros, which is only right at the start of a signal."""
        stop = x.shape[2] * self.rate if stop is None else stop
        step = start // self.rate
        first = max(0, step - self.back)
        x = x[..., first : -(-stop // self.rate)]
        if step - first < self.back:
            x = F.pad(x, (self.back - step + first, 0))
        weight, bias = self._packed or self._summed()
        y = F.conv1d(x, weight, bias)
        y = y.view(len(x), self.rate, self.out_channels, -1).permute(0, 2, 3, 1).flatten(2)
        begin = start - step * self.rate
        return y[..., begin : begin + stop - start]
