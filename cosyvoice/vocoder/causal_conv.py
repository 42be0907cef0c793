"""The vocoder's causal convolution and its residual block, for whole signals and for windows with known context."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cosyvoice.vocoder.hop_window import block_fields, share_context


class CausalConv1d(nn.Conv1d):
    """A convolution whose output t sees inputs up to t + `look_right`.

    The caller gives the left context: the first `skip` steps of the input give no output. Where that is less than the
    field, zeros are put before it, which is only right at the start of a signal. The input must also have `look_right`
    steps after the last output.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        *,
        dilation: int = 1,
        stride: int = 1,
        look_right: int = 0,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel, dilation=dilation)
        self.field = (kernel - 1) * dilation - look_right

    def forward(self, x: Tensor, skip: int = 0) -> Tensor:
        """[B, in_channels, skip + n + look_right] -> [B, out_channels, n]."""
        if skip < self.field:
            x = F.pad(x, (self.field - skip, 0))
        return super().forward(x)


class Snake(nn.Module):
    """x + sin²(alpha x) / alpha, one alpha a channel: a periodic activation (Ziyin et al. 2020)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """[B, channels, n] -> the same shape."""
        alpha = self.alpha[:, None]
        return torch.addcdiv(x, (x * alpha).sin_().square_(), alpha + 1e-9)


class ResidualBlock(nn.Module):
    """x += conv(snake(dilated conv(snake(x)))), once for each dilation."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.fields = block_fields(kernel, dilations)
        self.convs1 = nn.ModuleList(CausalConv1d(channels, channels, kernel, dilation=d) for d in dilations)
        self.convs2 = nn.ModuleList(CausalConv1d(channels, channels, kernel) for _ in dilations)
        self.activations1 = nn.ModuleList(Snake(channels) for _ in dilations)
        self.activations2 = nn.ModuleList(Snake(channels) for _ in dilations)

    def forward(self, x: Tensor, skip: int = 0) -> Tensor:
        """[B, channels, skip + n] -> [B, channels, n]. Context beyond the block's field is not read. Less context than
        the field means that the signal starts here."""
        spare = max(0, skip - sum(self.fields))
        x = x[..., spare:]
        used = share_context(self.fields, skip - spare)
        for i in range(len(self.convs1)):
            first, second = used[2 * i : 2 * i + 2]
            y = self.convs1[i](self.activations1[i](x), first)
            y = self.convs2[i](self.activations2[i](y), second)
            x = y.add_(x[..., first + second :])
        return x
