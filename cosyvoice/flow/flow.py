"""The flow as a trainable module: speech tokens, a prompt mel and a speaker give a velocity field over mel.

Parameter names are those of the released flow.pt. For serving, FlowStepper copies what it needs from this module.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cosyvoice.config import FlowConfig
from cosyvoice.flow.dit import DiT
from cosyvoice.flow.lookahead import PreLookahead


class _Decoder(nn.Module):
    """Gives the parameters their released names, `decoder.estimator.*`. The ODE itself has no parameters."""

    def __init__(self, estimator: DiT) -> None:
        super().__init__()
        self.estimator = estimator


class Flow(nn.Module):
    """Trainable form. `load_state_dict(strict=True)` takes a released flow.pt of the same sizes."""

    def __init__(self, config: FlowConfig) -> None:
        super().__init__()
        self.config = config
        self.input_embedding = nn.Embedding(config.vocab, config.mel_bins)
        self.spk_embed_affine_layer = nn.Linear(config.spk_embed_dim, config.dit.spk_dim)
        self.pre_lookahead_layer = PreLookahead(config.mel_bins, config.lookahead_channels, config.lookahead_tokens)
        self.decoder = _Decoder(DiT(config.dit))

    def token_signal(
        self, tokens: Tensor, *, final: bool = True, context: int = 0, lengths: Tensor | None = None
    ) -> Tensor:
        """mu [B, mel_bins, frames] of speech tokens [B, N]: each token's vector, once for each of its frames.

        Unless `final`, the last `lookahead_tokens` tokens are look-ahead and give no frames. The first `context` tokens
        (up to two) are left context and give none either. lengths [B]: tokens of each row; tokens after them count as
        zeros, as after the end of a sequence.
        """
        embedded = self.input_embedding(tokens)
        if lengths is not None:
            embedded = (
                embedded * (torch.arange(tokens.shape[1], device=tokens.device)[None] < lengths[:, None])[..., None]
            )
        hidden = self.pre_lookahead_layer(embedded, final=final, context=context)
        signal: Tensor = hidden.repeat_interleave(self.config.frames_per_token, 1).transpose(1, 2)
        return signal

    def speaker(self, embedding: Tensor) -> Tensor:
        """Speaker embedding [B, spk_embed_dim] -> [B, spk_dim]."""
        out: Tensor = self.spk_embed_affine_layer(F.normalize(embedding, dim=1))
        return out

    def forward(
        self,
        x: Tensor,
        t: Tensor,
        tokens: Tensor,
        embedding: Tensor,
        cond: Tensor,
        *,
        block_mask: bool = False,
        lengths: Tensor | None = None,
        unconditional: Tensor | None = None,
    ) -> Tensor:
        """Conditional velocity [B, mel_bins, T] of noisy mel `x` [B, mel_bins, T] at times `t` [B]. Differentiable.

        tokens: speech tokens, [B, T / frames_per_token]. embedding: speakers, [B, spk_embed_dim].
        cond: the known part of the mel, [B, mel_bins, T]; zeros where it is unknown.
        block_mask: a frame sees its own chunk and the chunks before it; otherwise all frames.
        lengths [B]: frames of each row that are not padding.
        unconditional [B]: these rows get no tokens, no speaker and no condition, as guidance's second row.
        """
        chunk_frames = self.config.chunk_frames if block_mask else None
        token_lengths = None if lengths is None else lengths // self.config.frames_per_token
        mu, speaker = self.token_signal(tokens, lengths=token_lengths), self.speaker(embedding)
        if unconditional is not None:
            kept = (~unconditional).to(mu.dtype)
            mu, speaker, cond = mu * kept[:, None, None], speaker * kept[:, None], cond * kept[:, None, None]
        velocity: Tensor = self.decoder.estimator(x, mu, t, speaker, cond, chunk_frames=chunk_frames, lengths=lengths)
        return velocity
