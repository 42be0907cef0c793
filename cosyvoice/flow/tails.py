"""Convolution tails: the left context that the two position convolutions need for the next hop."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from cosyvoice.config import CONV_KERNEL

CONVOLUTIONS = 2
TAIL_FRAMES = CONV_KERNEL - 1


@dataclass(eq=False)
class Tails:
    """One set. Its memory is free when nobody refers to it any more."""

    # [steps, 2 convolutions, rows, dim, 30].
    tensor: Tensor


@dataclass(frozen=True)
class TailsShape:
    """The size of one set of tails: every Euler step, both convolutions."""

    steps: int
    rows: int
    dim: int
    dtype: torch.dtype
    device: torch.device

    @property
    def size(self) -> torch.Size:
        return torch.Size((self.steps, CONVOLUTIONS, self.rows, self.dim, TAIL_FRAMES))

    @property
    def size_bytes(self) -> int:
        return self.size.numel() * self.dtype.itemsize

    def new(self) -> Tails:
        """Uninitialised memory for one set. A job writes it."""
        return Tails(torch.empty(self.size, dtype=self.dtype, device=self.device))
