"""The talker as a trainable module: a Qwen2 body over text and speech tables, under the checkpoint's names.

vLLM serves the same weights; here the whole sequence is computed at once, and what one layer attends to can be seen,
for guided attention.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cosyvoice.config import TalkerConfig

# What a guide is shown: queries and keys of a layer, [B, heads, T, head_dim] each (keys once per group of heads).
Guide = Callable[[Tensor, Tensor], None]


class _Attention(nn.Module):
    def __init__(self, config: TalkerConfig) -> None:
        super().__init__()
        self.heads, self.kv_heads = config.heads, config.kv_heads
        narrow = config.hidden // config.heads * config.kv_heads
        self.q_proj = nn.Linear(config.hidden, config.hidden)
        self.k_proj = nn.Linear(config.hidden, narrow)
        self.v_proj = nn.Linear(config.hidden, narrow)
        self.o_proj = nn.Linear(config.hidden, config.hidden, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, guide: Guide | None) -> Tensor:
        q = _turned(self.q_proj(x).unflatten(-1, (self.heads, -1)).transpose(1, 2), cos, sin)
        k = _turned(self.k_proj(x).unflatten(-1, (self.kv_heads, -1)).transpose(1, 2), cos, sin)
        v = self.v_proj(x).unflatten(-1, (self.kv_heads, -1)).transpose(1, 2)
        if guide is not None:
            guide(q, k)
        times = self.heads // self.kv_heads
        k, v = k.repeat_interleave(times, 1), v.repeat_interleave(times, 1)
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)
        out: Tensor = self.o_proj(seen)
        return out


class _FeedForward(nn.Module):
    def __init__(self, config: TalkerConfig) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden, config.ffn, bias=False)
        self.up_proj = nn.Linear(config.hidden, config.ffn, bias=False)
        self.down_proj = nn.Linear(config.ffn, config.hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))
        return out


class _Layer(nn.Module):
    def __init__(self, config: TalkerConfig, dropout: float) -> None:
        super().__init__()
        self.self_attn = _Attention(config)
        self.mlp = _FeedForward(config)
        self.input_layernorm = nn.RMSNorm(config.hidden, config.rms_eps)
        self.post_attention_layernorm = nn.RMSNorm(config.hidden, config.rms_eps)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, guide: Guide | None) -> Tensor:
        x = x + self.dropout(self.self_attn(self.input_layernorm(x), cos, sin, guide))
        out: Tensor = x + self.dropout(self.mlp(self.post_attention_layernorm(x)))
        return out


class _Body(nn.Module):
    def __init__(self, config: TalkerConfig, dropout: float) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.text_rows, config.hidden)
        self.layers = nn.ModuleList(_Layer(config, dropout) for _ in range(config.layers))
        self.norm = nn.RMSNorm(config.hidden, config.rms_eps)


class _Named(nn.Module):
    """Only keeps the names `llm.model.model.*`."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model


class TalkerNetwork(nn.Module):
    """Ids of the merged vocabulary (speech and control rows first, text id t at `head_rows + t`) to logits."""

    def __init__(self, config: TalkerConfig, dropout: float = 0.0) -> None:
        super().__init__()
        self.config = config
        self.body = _Body(config, dropout)
        self.llm = _Named(_Named(self.body))
        self.speech_embedding = nn.Embedding(config.head_rows, config.hidden)
        self.llm_decoder = nn.Linear(config.hidden, config.head_rows, bias=False)
        # Registered above under the checkpoint's name; the short one must not appear in the state dict.
        del self._modules["body"]
        self.__dict__["body"] = self.llm.model.model

    def forward(self, ids: Tensor, guide: tuple[int, Guide] | None = None) -> Tensor:
        """Ids [B, T] -> last hidden states [B, T, hidden]; `head` makes logits of those that count.

        guide: a layer, and what to show its queries and keys to.
        """
        is_text = ids >= self.config.head_rows
        text = self.body.embed_tokens(torch.where(is_text, ids - self.config.head_rows, 0))
        x = torch.where(is_text[..., None], text, self.speech_embedding(torch.where(is_text, 0, ids)))
        cos, sin = (part.to(x.device) for part in self._rotation(ids.shape[1]))
        for index, layer in enumerate(self.body.layers):
            x = layer(x, cos, sin, guide[1] if guide and guide[0] == index else None)
        out: Tensor = self.body.norm(x)
        return out

    def head(self, hidden: Tensor) -> Tensor:
        """Hidden states [..., hidden] -> logits of speech and control ids [..., head_rows]."""
        logits: Tensor = self.llm_decoder(hidden)
        return logits

    def _rotation(self, length: int) -> tuple[Tensor, Tensor]:
        size = self.config.hidden // self.config.heads
        frequencies = self.config.rope_theta ** -(torch.arange(0, size, 2).float() / size)
        angles = torch.outer(torch.arange(length).float(), frequencies)
        angles = torch.cat([angles, angles], -1)
        return angles.cos(), angles.sin()


def _turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat([-second, first], -1) * sin
