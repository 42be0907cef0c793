"""The speaker encoder: filter banks of a recording to a speaker vector, under CAM++'s input contract."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cosyvoice.nano.data.speakers import SPEAKER_SIZE
from cosyvoice.voice.features import FBANK_BINS

_CHANNELS = 160
_DILATIONS = (1, 2, 3, 1, 2, 3)
_SMALLEST_VARIANCE = 1e-4


class _Block(nn.Module):
    """A dilated convolution and a gate by the channels' means, added to the input. [B, channels, T] -> same."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, 3, padding=dilation, dilation=dilation, groups=4)
        self.mix = nn.Conv1d(channels, channels, 1)
        self.norm = nn.LayerNorm(channels)
        self.squeeze, self.excite = nn.Linear(channels, channels // 4), nn.Linear(channels // 4, channels)

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(self.mix(F.gelu(self.conv(x))).transpose(1, 2)).transpose(1, 2)
        gate = torch.sigmoid(self.excite(F.relu(self.squeeze(h.mean(-1)))))
        out: Tensor = x + F.gelu(h) * gate[..., None]
        return out


class SpeakerEncoder(nn.Module):
    """Convolutions over time, then the mean and spread of what matters, then a unit vector."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(FBANK_BINS, _CHANNELS, 5, stride=2, padding=2)
        self.blocks = nn.ModuleList(_Block(_CHANNELS, dilation) for dilation in _DILATIONS)
        self.attention = nn.Sequential(nn.Conv1d(_CHANNELS, 64, 1), nn.Tanh(), nn.Conv1d(64, _CHANNELS, 1))
        self.last = nn.Linear(2 * _CHANNELS, SPEAKER_SIZE)

    def forward(self, fbank: Tensor) -> Tensor:
        """Filter banks less their mean [B, frames, 80] -> unit vectors [B, 192]."""
        x = F.gelu(self.first(fbank.transpose(1, 2)))
        for block in self.blocks:
            x = block(x)
        weight = torch.softmax(self.attention(x), -1)
        mean = (weight * x).sum(-1)
        variance = (weight * (x - mean[..., None]).square()).sum(-1)
        pooled = torch.cat([mean, variance.clamp(min=_SMALLEST_VARIANCE).sqrt()], -1)
        return F.normalize(self.last(pooled), dim=-1)
