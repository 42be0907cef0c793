"""The flow for whole texts at once, in the offline mode of the original: every frame sees every other of its text.

Nothing is kept between calls, so it cannot stream. What computes the velocity is exchangeable: PyTorch, or the exported
estimator (`OnnxEstimator`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from cosyvoice.flow.flow import Flow
from cosyvoice.flow.ode import cosine_grid, flow_noise

# x, mu, times, speakers, cond, lengths -> the velocity, as `WholeTextEstimator`.
Velocity = Callable[..., Tensor]


class WholeText(NamedTuple):
    """One text, and the prompt that it is spoken after."""

    tokens: Sequence[int]
    prompt_tokens: Sequence[int]
    # [2 * prompt tokens, mel_bins].
    prompt_mel: Tensor
    # [spk_embed_dim].
    speaker: Tensor


@torch.inference_mode()
def whole_text_mels(flow: Flow, velocity: Velocity, texts: Sequence[WholeText]) -> list[Tensor]:
    """The mel [mel_bins, frames] of each text, all computed as one batch. On the CPU but for the velocity."""
    config, rows = flow.config, len(texts)
    sequences = [[*text.prompt_tokens, *text.tokens] for text in texts]
    token_lengths = torch.tensor([len(sequence) for sequence in sequences])
    lengths = token_lengths * config.frames_per_token
    longest = int(token_lengths.max())
    tokens = torch.tensor([sequence + [0] * (longest - len(sequence)) for sequence in sequences])
    mu = flow.token_signal(tokens, lengths=token_lengths)
    speakers = flow.speaker(torch.stack([text.speaker for text in texts]))
    cond = torch.zeros(rows, config.mel_bins, mu.shape[2])
    for row, text in enumerate(texts):
        cond[row, :, : len(text.prompt_mel)] = text.prompt_mel.t()
    # Guidance has rows without tokens, speaker and condition after the others.
    guides = config.rows - 1
    mu, speakers, cond = (torch.cat([x, *[torch.zeros_like(x)] * guides]) for x in (mu, speakers, cond))
    x = flow_noise(config.mel_bins)[: mu.shape[2]].t().expand(rows, -1, -1)
    for time, delta in zip(*cosine_grid(config.euler_steps), strict=True):
        found = velocity(
            torch.cat([x] * config.rows), mu, time.expand(len(mu)), speakers, cond, lengths.repeat(config.rows)
        )
        conditional, unconditional = found[:rows], found[rows:]
        if guides:
            conditional = torch.lerp(unconditional, conditional, 1 + config.cfg_rate)
        x = x + delta * conditional
    return [x[row, :, len(text.prompt_mel) : lengths[row]] for row, text in enumerate(texts)]
