"""The two fixed inputs of the flow's ODE that are not in a checkpoint: the noise it starts from and the time grid."""

from __future__ import annotations

import math

import torch
from torch import Tensor

# The original draws this many frames (300 s, with the prompt) once per process. There is no noise for longer audio.
NOISE_FRAMES = 15000


def flow_noise(mel_bins: int = 80) -> Tensor:
    """The noise that every run of the flow starts from, [NOISE_FRAMES, mel_bins] fp32 on the CPU. Frames are counted
    from the prompt's start.

    The original seeds torch's CPU generator with 0 and draws `randn([1, mel_bins, NOISE_FRAMES])`. A separate generator
    gives the same numbers and does not change the one of the process.
    """
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn([1, mel_bins, NOISE_FRAMES], generator=generator)
    return noise[0].t().contiguous()


def cosine_grid(steps: int) -> tuple[Tensor, list[float]]:
    """Times t_k = 1 - cos(pi/2 * k/steps) at which the `steps` velocities are taken ([steps] fp32) and the step sizes.

    The arithmetic is fp32 in the original's order: t is the sum of the steps so far, and each step goes from that t to
    the next grid point. Raises ValueError for fewer than one step.
    """
    if steps < 1:
        raise ValueError(f"euler_steps: expected at least 1, found {steps}")
    grid = 1 - torch.cos(torch.linspace(0, 1, steps + 1) * 0.5 * math.pi)
    t, dt = grid[0], grid[1] - grid[0]
    times, deltas = [], []
    for k in range(steps):
        times.append(t)
        deltas.append(float(dt))
        t = t + dt
        if k + 2 <= steps:
            dt = grid[k + 2] - t
    return torch.stack(times), deltas
