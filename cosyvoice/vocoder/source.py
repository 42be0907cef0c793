"""The vocoder's excitation: harmonics of f0 and noise, mixed to one channel."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from cosyvoice.config import VocoderConfig

Phase = Literal["fp32", "fp64"]


class HarmonicSource(nn.Module):
    """Sines of f0 and its harmonics where there is voice, and noise where there is none, mixed by one linear layer.

    The phase is constant within a frame. From one frame to the next it advances by f0 times the frame's length. The
    original does this (it up-samples the phase by "nearest"), and the weights were trained with it; a smooth sine would
    sound worse.
    """

    multiples: Tensor

    def __init__(self, config: VocoderConfig) -> None:
        super().__init__()
        self.config = config
        self.l_linear = nn.Linear(config.harmonics + 1, 1)
        self.register_buffer("multiples", torch.arange(1, config.harmonics + 2), persistent=False)

    def advance(self, f0: Tensor, cycles: Tensor, phase: Phase) -> Tensor:
        """The phase of each frame, in cycles: [B, n, harmonics + 1] float64. It continues from `cycles`
        [B, harmonics + 1] (zeros at the start) through f0 [B, n] in Hz.

        "fp64": cycles of each harmonic at the frame's end, modulo 1, so that precision stays the same for hours.
        "fp32": the original's numbers: cycles at the frame's first sample, summed over frames without modulo, and
        rounded to float32 when used.
        """
        step = self._step(f0, phase)
        total = cycles[:, None] + step.cumsum(1)
        return total if phase == "fp32" else total % 1

    def _step(self, f0: Tensor, phase: Phase) -> Tensor:
        rate = self.config.sample_rate
        if phase == "fp32":
            # Only the increments are float32: the original's cumulative sum has a float64 accumulator on a CPU.
            return (f0.float()[..., None] * self.multiples / rate % 1).double()
        return f0.double()[..., None] * self.multiples * (self.config.samples_per_frame / rate) % 1

    def sines(self, cycles: Tensor, phase: Phase) -> Tensor:
        """sin of what `advance` returned, in the weights' type and the same shape."""
        if phase == "fp32":
            return torch.sin(cycles.float() * 2 * math.pi * self.config.samples_per_frame).to(self.l_linear.weight)
        return torch.sin(cycles * (2 * math.pi)).to(self.l_linear.weight)

    def mix_noise(self, noise: Tensor) -> Tensor:
        """Noise [..., harmonics + 1] -> its part of the mix [...]. So the linear layer is applied to the noise table
        once, and not in every hop."""
        return noise @ self.l_linear.weight[0]

    def forward(self, f0: Tensor, sines: Tensor, mixed_noise: Tensor) -> Tensor:
        """f0 [B, n] in Hz, sines [B, n, harmonics + 1], mixed_noise [B, n, samples_per_frame] -> [B, samples]."""
        c = self.config
        is_voiced = (f0 > c.voiced_hz)[..., None]
        voiced = is_voiced.to(sines.dtype)
        tone = self.l_linear(sines * (c.sine_amplitude * voiced))
        level = torch.full_like(voiced, c.sine_amplitude / 3).masked_fill_(is_voiced, c.noise_sigma)
        return torch.tanh(tone + level * mixed_noise).flatten(1)
