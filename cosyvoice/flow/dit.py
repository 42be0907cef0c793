"""The diffusion transformer of the flow as a trainable module: parameter names are the released checkpoint's.

This is the plain form, for training and as the source of weights. Serving uses the packed form in
`cosyvoice.flow.estimator`, built from this one.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cosyvoice.config import CONV_GROUPS, CONV_KERNEL, DitConfig

NORM_EPS = 1e-6
TIME_BINS = 256
ROPE_THETA = 10000.0


def inverse_frequencies(head_dim: int) -> Tensor:
    """Rotation per position of each pair of numbers in a head, [head_dim / 2] fp32."""
    return 1.0 / (ROPE_THETA ** (torch.arange(0, head_dim, 2).float() / head_dim))


def rotation_angles(head_dim: int, frames: int, device: torch.device | None = None) -> Tensor:
    """Angle of each pair at each absolute frame, [frames, head_dim / 2] fp32.

    It comes from the formula and not from the checkpoint's buffer, because half-precision checkpoints round that
    buffer.
    """
    return torch.outer(torch.arange(frames, dtype=torch.float32), inverse_frequencies(head_dim)).to(device)


def block_mask(frames: int, chunk_frames: int, device: torch.device | None = None) -> Tensor:
    """[frames, frames] bool, True where the row's frame may see the column's: its own chunk and all chunks before
    it."""
    chunk = torch.arange(frames, device=device) // chunk_frames
    return chunk[None, :] <= chunk[:, None]


class TimeEmbedding(nn.Module):
    """Diffusion time t in [0, 1], [B] -> [B, dim]: sinusoid of 1000 t, then a two-layer perceptron."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.time_mlp = nn.Sequential(nn.Linear(TIME_BINS, dim), nn.SiLU(), nn.Linear(dim, dim))

    def forward(self, t: Tensor) -> Tensor:
        half = TIME_BINS // 2
        exponents = torch.arange(half, device=t.device).float() * -(math.log(10000) / (half - 1))
        angles = 1000.0 * t.float()[:, None] * torch.exp(exponents)
        embedding = torch.cat([angles.sin(), angles.cos()], -1)
        out: Tensor = self.time_mlp(embedding.to(next(self.time_mlp.parameters()).dtype))
        return out


class CausalConvPosition(nn.Module):
    """The position signal: two grouped convolutions with Mish; each sees 30 frames back. [B, T, dim] -> same."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(nn.Conv1d(dim, dim, CONV_KERNEL, groups=CONV_GROUPS), nn.Mish())
        self.conv2 = nn.Sequential(nn.Conv1d(dim, dim, CONV_KERNEL, groups=CONV_GROUPS), nn.Mish())

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose(1, 2)
        for conv in (self.conv1, self.conv2):
            x = conv(F.pad(x, (CONV_KERNEL - 1, 0)))
        return x.transpose(1, 2)


class InputEmbedding(nn.Module):
    """Joins noisy mel, condition mel, token signal and speaker frame by frame, and projects them to `dim`."""

    def __init__(self, config: DitConfig) -> None:
        super().__init__()
        self.proj = nn.Linear(3 * config.mel_bins + config.spk_dim, config.dim)
        self.conv_pos_embed = CausalConvPosition(config.dim)

    def forward(self, x: Tensor, cond: Tensor, mu: Tensor, spks: Tensor) -> Tensor:
        speaker = spks[:, None].expand(-1, x.shape[1], -1)
        h: Tensor = self.proj(torch.cat([x, cond, mu, speaker], -1))
        out: Tensor = h + self.conv_pos_embed(h)
        return out


class RotaryEmbedding(nn.Module):
    """Holds the checkpoint's `inv_freq`, and rotates the first `head_dim` numbers of a vector by its position."""

    inv_freq: Tensor

    def __init__(self, head_dim: int) -> None:
        super().__init__()
        self.head_dim = head_dim
        self.register_buffer("inv_freq", inverse_frequencies(head_dim))

    def forward(self, x: Tensor, angles: Tensor) -> Tensor:
        """[B, T, inner] -> same. The rotation comes before the split into heads, so only head 0 knows positions. A pair
        is two neighbours, 2i and 2i + 1."""
        head, rest = x[..., : self.head_dim], x[..., self.head_dim :]
        even, odd = head[..., 0::2].float(), head[..., 1::2].float()
        cos, sin = angles.cos(), angles.sin()
        turned = torch.stack([even * cos - odd * sin, odd * cos + even * sin], -1).flatten(-2)
        return torch.cat([turned.to(x.dtype), rest], -1)


class AdaLayerNorm(nn.Module):
    """The linear map from the time embedding to `parts` modulation vectors of one layer."""

    def __init__(self, dim: int, parts: int) -> None:
        super().__init__()
        self.parts = parts
        self.linear = nn.Linear(dim, parts * dim)

    def forward(self, time: Tensor) -> Tensor:
        """[B, dim] -> [B, parts, dim]."""
        out: Tensor = self.linear(F.silu(time))
        return out.view(*out.shape[:-1], self.parts, -1)


class Attention(nn.Module):
    """The four linear maps of one attention. DitBlock computes the attention itself."""

    def __init__(self, dim: int, inner: int) -> None:
        super().__init__()
        self.to_q = nn.Linear(dim, inner)
        self.to_k = nn.Linear(dim, inner)
        self.to_v = nn.Linear(dim, inner)
        self.to_out = nn.ModuleList([nn.Linear(inner, dim)])


class FeedForward(nn.Module):
    """Two linear maps with a GELU (tanh form) between them."""

    def __init__(self, dim: int, mult: int) -> None:
        super().__init__()
        up = nn.Sequential(nn.Linear(dim, mult * dim), nn.GELU(approximate="tanh"))
        # Place 1 is the original's dropout (rate 0). It is here so that parameter names stay the same.
        self.ff = nn.Sequential(up, nn.Identity(), nn.Linear(mult * dim, dim))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.ff(x)
        return out


class DitBlock(nn.Module):
    """One transformer block: modulated attention, modulated feed-forward, each added through its gate."""

    def __init__(self, config: DitConfig) -> None:
        super().__init__()
        self.dim = config.dim
        self.heads = config.heads
        self.attn_norm = AdaLayerNorm(config.dim, 6)
        self.attn = Attention(config.dim, config.heads * config.head_dim)
        self.ff = FeedForward(config.dim, config.ff_mult)

    def forward(self, x: Tensor, time: Tensor, rotary: RotaryEmbedding, angles: Tensor, mask: Tensor | None) -> Tensor:
        shift_a, scale_a, gate_a, shift_f, scale_f, gate_f = self.attn_norm(time)[:, :, None].unbind(1)
        h = F.layer_norm(x, [self.dim], eps=NORM_EPS) * (1 + scale_a) + shift_a
        q, k = rotary(self.attn.to_q(h), angles), rotary(self.attn.to_k(h), angles)
        q, k, v = [z.unflatten(-1, (self.heads, -1)).transpose(1, 2) for z in (q, k, self.attn.to_v(h))]
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2)
        x = x + gate_a * self.attn.to_out[0](attended)
        h = F.layer_norm(x, [self.dim], eps=NORM_EPS) * (1 + scale_f) + shift_f
        out: Tensor = x + gate_f * self.ff(h)
        return out


class DiT(nn.Module):
    """Velocity of the flow's ODE at time t. `state_dict` keys are the released `decoder.estimator.*` ones."""

    def __init__(self, config: DitConfig) -> None:
        super().__init__()
        self.config = config
        self.time_embed = TimeEmbedding(config.dim)
        self.input_embed = InputEmbedding(config)
        self.rotary_embed = RotaryEmbedding(config.head_dim)
        self.transformer_blocks = nn.ModuleList([DitBlock(config) for _ in range(config.depth)])
        self.norm_out = AdaLayerNorm(config.dim, 2)
        self.proj_out = nn.Linear(config.dim, config.mel_bins)

    def forward(
        self,
        x: Tensor,
        mu: Tensor,
        t: Tensor,
        spks: Tensor,
        cond: Tensor,
        *,
        chunk_frames: int | None = None,
        lengths: Tensor | None = None,
    ) -> Tensor:
        """Velocity [B, mel_bins, T] of `x` [B, mel_bins, T] at times `t` [B].

        mu, cond: token signal and condition mel, [B, mel_bins, T] each. spks: speakers, [B, spk_dim].
        chunk_frames: a frame sees its own chunk and all chunks before it; None: every frame sees all frames.
        lengths [B]: frames of each row that are not padding. No frame sees the padding.
        """
        frames = x.shape[2]
        time = self.time_embed(t)
        h = self.input_embed(x.transpose(1, 2), cond.transpose(1, 2), mu.transpose(1, 2), spks)
        angles = rotation_angles(self.config.head_dim, frames, x.device)
        mask = None if chunk_frames is None else block_mask(frames, chunk_frames, x.device)
        if lengths is not None:
            inside = (torch.arange(frames, device=x.device)[None] < lengths[:, None])[:, None, None]
            mask = inside if mask is None else mask & inside
        for block in self.transformer_blocks:
            h = block(h, time, self.rotary_embed, angles, mask)
        # Unlike the blocks, the last normalisation has its scale before its shift.
        scale, shift = self.norm_out(time)[:, :, None].unbind(1)
        h = F.layer_norm(h, [self.config.dim], eps=NORM_EPS) * (1 + scale) + shift
        out: Tensor = self.proj_out(h)
        return out.transpose(1, 2)
