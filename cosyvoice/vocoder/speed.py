"""Speaking speed: mel frames interpolated at absolute positions, the same streamed or at once."""

from __future__ import annotations

import torch
from torch import Tensor

from cosyvoice.config import MAX_SPEED, MIN_SPEED


class MelSpeed:
    """Stretches a stream of mel. Output frame i lies at input position (i + 0.5) * speed - 0.5, linearly interpolated,
    as torch's `interpolate(mode="linear")` does offline; the total is floor(frames / speed)."""

    def __init__(self, speed: float) -> None:
        """ValueError unless MIN_SPEED <= speed <= MAX_SPEED."""
        if not MIN_SPEED <= speed <= MAX_SPEED:
            raise ValueError(f"expected a speed of {MIN_SPEED} to {MAX_SPEED}, found {speed}")
        self.speed = speed
        self._received = 0  # input frames so far
        self._emitted = 0  # output frames so far
        self._held: Tensor | None = None  # the last input frames, from position _held_from on
        self._held_from = 0

    def feed(self, mel: Tensor, final: bool) -> Tensor:
        """New frames [bins, n] in; the output frames [bins, m] they complete."""
        if self.speed == 1.0:
            return mel
        known = mel if self._held is None else torch.cat([self._held, mel], 1)
        self._received += mel.shape[1]
        last = self._received - 1
        if final:
            total = int(self._received / self.speed)
        else:  # an output frame needs the input frame after its position
            total = max(self._emitted, int((last + 0.5) / self.speed - 0.5) + 1)
            while total > self._emitted and int((total - 0.5) * self.speed - 0.5) + 1 > last:
                total -= 1
        index = torch.arange(self._emitted, total, dtype=torch.float64, device=mel.device)
        position = ((index + 0.5) * self.speed - 0.5).clamp(0, max(last, 0))
        left = position.long()
        right = (left + 1).clamp_max(max(last, 0))
        weight = (position - left).to(mel.dtype)
        out = known[:, left - self._held_from] * (1 - weight) + known[:, right - self._held_from] * weight
        self._emitted = total
        keep_from = min(max(int((total + 0.5) * self.speed - 0.5), 0), max(last, 0))
        self._held = known[:, keep_from - self._held_from :].clone()
        self._held_from = keep_from
        return out
