"""A network of the talker's size with static keys and values: what its steps cost without vLLM.

Its weights are random, and its keys and values have no meaning. Only its times say something.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.model.random_checkpoint import Sizes

HEAD_DIM = 64
KV_HEADS = 2


class TalkerBody:
    """A Qwen2 of these sizes, for at most `rows` sequences of at most `max_ids` ids."""

    def __init__(
        self, sizes: Sizes, head_rows: int, rows: int, max_ids: int, device: torch.device, dtype: torch.dtype
    ) -> None:
        def random(*shape: int) -> Tensor:
            return torch.randn(*shape, device=device, dtype=dtype) * 0.02

        hidden, queries = sizes.hidden, sizes.hidden // HEAD_DIM
        self._queries, self._keys = max(KV_HEADS, queries), KV_HEADS
        width = (self._queries + 2 * self._keys) * HEAD_DIM
        self._embed = random(head_rows, hidden)
        self._layers = [
            (
                random(width, hidden),
                random(hidden, self._queries * HEAD_DIM),
                random(2 * sizes.ffn, hidden),
                random(hidden, sizes.ffn),
            )
            for _ in range(sizes.layers)
        ]
        self._head = random(head_rows, hidden)
        self._cache = torch.zeros(sizes.layers, 2, rows, self._keys, max_ids, HEAD_DIM, device=device, dtype=dtype)
        self._places = torch.arange(max_ids, device=device)
        powers = torch.arange(0, HEAD_DIM, 2, device=device) / HEAD_DIM
        angles = torch.outer(self._places.float(), 1e-6**powers)
        self._cos, self._sin = (torch.cat([f(angles)] * 2, -1).to(dtype) for f in (torch.cos, torch.sin))

    def logits(self, ids: Tensor, positions: Tensor) -> Tensor:
        """ids, positions: [rows, n], of the first rows. The logits after the last of each, float32 [rows, ids]."""
        rows, count = ids.shape
        x = F.embedding(ids, self._embed)
        cos, sin = (table[positions][:, None] for table in (self._cos, self._sin))
        seen = (self._places <= positions[..., None]).repeat(1, self._queries // self._keys, 1)[:, None]
        at = torch.arange(rows, device=ids.device)[:, None]
        for (qkv, out, up, down), cache in zip(self._layers, self._cache, strict=True):
            heads = F.linear(_norm(x), qkv).unflatten(-1, (-1, HEAD_DIM)).transpose(1, 2)
            q, k, v = heads.split([self._queries, self._keys, self._keys], dim=1)
            cache[0, at, :, positions] = _rotated(k, cos, sin).transpose(1, 2)
            cache[1, at, :, positions] = v.transpose(1, 2)
            # The queries of one key head as one sequence: attention without repeated keys.
            grouped = _rotated(q, cos, sin).reshape(rows, self._keys, -1, HEAD_DIM)
            mixed = F.scaled_dot_product_attention(grouped, cache[0, :rows], cache[1, :rows], attn_mask=seen)
            x = x + F.linear(mixed.reshape(rows, self._queries, count, HEAD_DIM).transpose(1, 2).flatten(2), out)
            gate, value = F.linear(_norm(x), up).chunk(2, dim=-1)
            x = x + F.linear(F.silu(gate) * value, down)
        return F.linear(_norm(x[:, -1]), self._head).float()


def _norm(x: Tensor) -> Tensor:
    return F.rms_norm(x, x.shape[-1:])


def _rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    low, high = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-high, low], dim=-1) * sin
