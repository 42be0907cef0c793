"""Short-time Fourier transform and its inverse by matrices with fixed weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Stft(nn.Module):
    """Periodic Hann window, centred columns with reflection at the ends, as torch.stft and torch.istft compute them.

    A column has `n_fft // 2 + 1` real parts, then as many imaginary parts. torch.istft cannot be used: it checks the
    window's overlap on the host in each call, and it cannot start in the middle of a signal.
    """

    analysis: Tensor
    synthesis: Tensor
    head: Tensor
    tail: Tensor

    def __init__(self, n_fft: int, hop: int) -> None:
        super().__init__()
        self.n_fft = n_fft
        self.hop = hop
        window = torch.hann_window(n_fft, dtype=torch.float64)
        bins = torch.arange(n_fft // 2 + 1, dtype=torch.float64)
        angle = 2 * torch.pi / n_fft * bins[:, None] * torch.arange(n_fft, dtype=torch.float64)
        analysis = torch.cat([angle.cos(), -angle.sin()]) * window
        # The inner bins of a real signal count twice: for themselves and for their mirror images.
        twice = torch.where((bins == 0) | (bins == n_fft // 2), 1.0, 2.0).repeat(2)[:, None]
        overlap = self._overlap(window)
        synthesis = analysis * twice / n_fft / overlap[n_fft]
        # At the ends fewer columns overlap. These factors correct that.
        edge = n_fft // 2
        head = overlap[n_fft] / overlap[edge : 2 * edge]
        tail = overlap[n_fft] / overlap[-2 * edge : -edge]
        for name, value in (
            ("analysis", analysis[:, None]),
            ("synthesis", synthesis.T),
            ("head", head),
            ("tail", tail),
        ):
            self.register_buffer(name, value.float(), persistent=False)

    def _overlap(self, window: Tensor) -> Tensor:
        """Sum of the squared windows of several columns, enough for both ends and the middle."""
        columns = 2 * self.n_fft // self.hop + 1
        total = torch.zeros(self.hop * (columns - 1) + self.n_fft, dtype=torch.float64)
        for column in range(columns):
            total[column * self.hop : column * self.hop + self.n_fft] += window**2
        return total

    def analyse(self, wave: Tensor, ends: Sequence[int | None] = ()) -> Tensor:
        """[B, n] -> [B, n_fft + 2, n // hop + 1].

        A row with an entry in `ends` is reflected at that sample, so that later samples have no effect before it.
        """
        reach = self.n_fft // 2
        wave = F.pad(wave[:, None], (reach, reach), mode="reflect")
        for row, end in enumerate(ends):
            if end is not None:
                inner = wave[row, 0, end - 1 : end + reach - 1]  # the `reach` samples before the last
                wave[row, 0, end + reach : end + 2 * reach] = inner.flip(0)
        return F.conv1d(wave, self.analysis, stride=self.hop)

    def synthesise(
        self, columns: Tensor, start: int, samples: int, *, first: bool = True, ends: Sequence[int | None] = ()
    ) -> Tensor:
        """[B, n_fft + 2, m] -> [B, samples], from sample `start` of the overlapped columns on.

        first: the wave begins at `start`. Otherwise all columns that overlap the samples from the left must be given.
        ends: for each row the number of samples (from `start`) after which it ends, or None. For a row without an end
        all columns that overlap the samples from the right must be given.
        """
        edge = self.n_fft // 2
        for row, end in enumerate(ends):
            if end is not None:
                columns[row, :, (start + end - edge) // self.hop + 1 :] = 0
        length = self.hop * (columns.shape[2] - 1) + self.n_fft
        pieces = self.synthesis @ columns  # [B, n_fft, m]
        wave = F.fold(pieces, (1, length), (1, self.n_fft), stride=(1, self.hop))[:, 0, 0, start : start + samples]
        if first:
            wave[:, :edge] *= self.head
        for row, end in enumerate(ends):
            if end is not None:
                wave[row, end - edge : end] *= self.tail
        return wave
