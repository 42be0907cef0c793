"""The noise in the vocoder's excitation: uniform numbers by absolute sample. It is not in a checkpoint."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from cosyvoice.config import VocoderConfig

NOISE_S = 60.0  # length of the table; after that the vocoder starts it again

# How many numbers the original draws from torch's CPU generator (seed 0) before this noise, while it builds its
# modules: the flow's starting noise, then the initial values of the flow's embedding and speaker layer and of the f0
# predictor (released sizes), then nine initial phases. The weights are overwritten later, but the draws advance the
# generator.
_DRAWN_BEFORE = (
    80 * 15000  # flow noise
    + 6561 * 80  # token embedding
    + (80 * 192 + 80)  # speaker layer
    + (512 * 80 * 4 + 512)  # f0 predictor: first convolution
    + 4 * (512 * 512 * 3 + 512)  # f0 predictor: four more
    + (512 + 1)  # f0 predictor: classifier
    + 9  # initial phases, without effect on the wave
)


@cache
def sine_noise(seconds: float = NOISE_S, channels: int = 9, sample_rate: int = 24000) -> Tensor:
    """Uniform [0, 1) noise, [samples, channels] fp32 on the CPU. Sample 0 is the first sample of the generated audio.

    The original draws 300 s of nine channels; this is bit for bit their beginning. Each of its draws takes one number
    from the generator, so the draws before can be skipped by their number. A separate generator is used: the one of the
    process does not change. The table is made once per process and shared; do not write to it. Raises ValueError for
    less than one sample.
    """
    samples = round(seconds * sample_rate)
    if samples < 1:
        raise ValueError(f"seconds: expected at least one sample, found {seconds}")
    generator = torch.Generator().manual_seed(0)
    torch.empty(_DRAWN_BEFORE).uniform_(generator=generator)
    return torch.empty(samples, channels).uniform_(generator=generator)


def default_noise(config: VocoderConfig) -> Tensor:
    """The table for one vocoder."""
    return sine_noise(NOISE_S, config.harmonics + 1, config.sample_rate)
