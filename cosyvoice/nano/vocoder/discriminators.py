"""Discriminators: light ones, as two cores can train them. They see a wave in periods and as spectra."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_PERIODS = (2, 3, 5, 7)
_SPECTRA = ((1024, 256), (256, 64))
_PERIOD_CHANNELS = (16, 32, 64, 64)
_SPECTRUM_CHANNELS = 16
_SLOPE = 0.1

# A judgement and the hidden layers that led to it.
Judgement = tuple[Tensor, list[Tensor]]


class PeriodDiscriminator(nn.Module):
    """Sees every p-th sample."""

    def __init__(self, period: int) -> None:
        super().__init__()
        self.period = period
        sizes = (1, *_PERIOD_CHANNELS)
        self.layers = nn.ModuleList(
            nn.Conv1d(sizes[i], sizes[i + 1], 5, stride=3 if i < 3 else 1, padding=2) for i in range(4)
        )
        self.judge = nn.Conv1d(sizes[-1], 1, 3, padding=1)

    def forward(self, wave: Tensor) -> Judgement:
        """Waves [B, samples]."""
        whole = wave[:, : wave.shape[1] // self.period * self.period]
        x = whole.unflatten(1, (-1, self.period)).transpose(1, 2).flatten(0, 1)[:, None]
        return _judged(self.layers, self.judge, x)


class SpectrumDiscriminator(nn.Module):
    """Sees the log magnitudes of a short-time spectrum."""

    def __init__(self, n_fft: int, hop: int) -> None:
        super().__init__()
        self.n_fft, self.hop = n_fft, hop
        c = _SPECTRUM_CHANNELS
        self.layers = nn.ModuleList(
            [
                nn.Conv2d(1, c, (3, 5), (1, 2), (1, 2)),
                nn.Conv2d(c, c, (3, 5), (1, 2), (1, 2)),
                nn.Conv2d(c, 2 * c, (3, 5), (1, 2), (1, 2)),
                nn.Conv2d(2 * c, 2 * c, 3, (2, 2), 1),
            ]
        )
        self.judge = nn.Conv2d(2 * c, 1, 3, padding=1)
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)

    def forward(self, wave: Tensor) -> Judgement:
        """Waves [B, samples]."""
        window = self.get_buffer("window")
        spectrum = torch.stft(wave, self.n_fft, self.hop, window=window, return_complex=True)
        magnitude = torch.view_as_real(spectrum).square().sum(-1).add(1e-7).sqrt()
        x = ((magnitude + 1e-3).log() * 0.3 + 0.5).transpose(1, 2)[:, None]
        return _judged(self.layers, self.judge, x)


class Discriminators(nn.ModuleList):
    """All of them."""

    def __init__(self) -> None:
        super().__init__(
            [*(PeriodDiscriminator(p) for p in _PERIODS), *(SpectrumDiscriminator(n, h) for n, h in _SPECTRA)]
        )

    def told_apart(self, recorded: Tensor, made: Tensor) -> Tensor:
        """The loss of the discriminators: recordings are 1, what is made is 0."""
        losses = []
        for one in self:
            (true, _), (false, _) = one(recorded), one(made.detach())
            losses.append((true - 1).square().mean() + false.square().mean())
        return torch.stack(losses).mean()

    def fooled(self, recorded: Tensor, made: Tensor) -> tuple[Tensor, Tensor]:
        """The losses of the vocoder: what is made shall be 1, and look alike in every hidden layer."""
        adversarial, matching = [], []
        for one in self:
            with torch.no_grad():
                _, expected = one(recorded)
            judgement, hidden = one(made)
            adversarial.append((judgement - 1).square().mean())
            apart = [(a - b).abs().mean() / (b.abs().mean() + 1e-4) for a, b in zip(hidden, expected)]
            matching.append(torch.stack(apart).mean())
        return torch.stack(adversarial).mean(), torch.stack(matching).mean()


def _judged(layers: nn.ModuleList, judge: nn.Module, x: Tensor) -> Judgement:
    hidden = []
    for layer in layers:
        x = F.leaky_relu(layer(x), _SLOPE)
        hidden.append(x)
    return judge(x), hidden
