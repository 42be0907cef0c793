"""Repetition-aware sampling (RAS) in closed form, drawn with noise keyed by (seed, position, id).

The original draws from a nucleus. When the draw repeats one of the last ids, it draws again from the full distribution
without that id. `ras_log_probs` is the distribution of both draws together; adding Gumbel noise and taking the maximum
draws from it. The noise is a hash and not a stream of random numbers. So the same seed gives the same speech tokens in
any batch, for any cut into quanta and on any machine (up to rounding of the logits).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from cosyvoice.serving_config import SamplingConfig

_MASK32 = 0xFFFFFFFF
_MASK64 = 0xFFFFFFFFFFFFFFFF


class Nucleus(NamedTuple):
    """The likeliest ids of each row, [rows, top_k] each."""

    ids: Tensor
    # Of the full distribution.
    p: Tensor
    # Of the nucleus: zero for ids outside of it.
    q: Tensor
    # Whether the id is in the nucleus and occurs often enough in the history that it is drawn again.
    repeats: Tensor


def nucleus_of(p: Tensor, history: Tensor, config: SamplingConfig) -> Nucleus:
    """The nucleus of full distributions [rows, ids]. history: as for `ras_log_probs`."""
    top_p, top_ids = p.topk(min(config.top_k, p.shape[-1]), dim=-1)
    keep = (top_p.cumsum(-1) - top_p) < config.top_p  # the id that crosses top_p is kept
    q = torch.where(keep, top_p, 0.0)
    q = q / q.sum(-1, keepdim=True)
    counts = (top_ids[:, :, None] == history[:, None, :]).sum(-1)
    return Nucleus(top_ids, top_p, q, (counts >= config.window * config.tau) & keep & (counts > 0))


def ras_log_probs(logits: Tensor, history: Tensor, config: SamplingConfig) -> Tensor:
    """Log-probabilities of one RAS draw for each row.

    Args:
        logits: [rows, ids] float, masked ids at -inf.
        history: [rows, window] int64, the last emitted ids, -1 where there are fewer.

    With p the softmax, q the nucleus (renormalised) and R the nucleus ids that occur often enough in the history:
    P(x) = q(x) [x not in R] + sum over y in R, y != x of q(y) p(x) / (1 - p(y)).
    """
    p = torch.softmax(logits.float(), -1)
    return both_draws(p, nucleus_of(p, history, config))


def both_draws(p: Tensor, nucleus: Nucleus) -> Tensor:
    """Log-probabilities [rows, ids] of the draw from the nucleus and the one after a repetition together."""
    ids, top_p, q, repeats = nucleus
    again = torch.where(repeats, q / (1.0 - top_p).clamp_min(1e-20), 0.0)
    result = p * again.sum(-1, keepdim=True)
    result.scatter_add_(-1, ids, torch.where(repeats, -again * top_p, q))
    return result.clamp_min_(0.0).log_()


def keyed_gumbel(keys: Tensor, ids: Tensor) -> Tensor:
    """Standard Gumbel noise [rows, ids] float32, a hash of each row's 64-bit key and the id.

    keys: the low and high 32 bits of `row_key`, [rows, 2] int64. ids: [ids] or [rows, ids] int64. The hash is murmur3's
    32-bit finaliser, run once with each half. The uniform numbers u have 23 bits, so that 1 - u never rounds to zero in
    float32.
    """
    mixed = _fmix32((ids * 0x9E3779B1 + keys[:, :1]) & _MASK32)
    mixed = _fmix32(mixed ^ keys[:, 1:])
    u = ((mixed >> 9).float() + 0.5) * 2.0**-23
    return -torch.log(-torch.log(u))


@lru_cache(maxsize=4)
def all_ids(count: int, device: torch.device) -> Tensor:
    """The ids below `count`. They are the same in every step."""
    return torch.arange(count, dtype=torch.int64, device=device)


def row_key(seed: int, position: int) -> tuple[int, int]:
    """The (low, high) 32 bits of a 64-bit key for one draw: splitmix64 of seed and position in the sequence."""
    z = (seed * 0xD1342543DE82EF95 + position * 0x9E3779B97F4A7C15 + 0x632BE59BD9B4E019) & _MASK64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK64
    z ^= z >> 31
    return z & _MASK32, z >> 32


def padded_history(histories: Sequence[Sequence[int]], window: int) -> list[list[int]]:
    """The last `window` ids of each history, padded with -1 in front."""
    return [[-1] * (window - len(h[-window:])) + list(h[-window:]) for h in histories]


def _fmix32(h: Tensor) -> Tensor:
    """murmur3's finaliser on int64 tensors holding 32-bit values (products wrap, the low 32 bits are exact)."""
    h = h ^ (h >> 16)
    h = (h * 0x85EBCA6B) & _MASK32
    h = h ^ (h >> 13)
    h = (h * 0xC2B2AE35) & _MASK32
    return h ^ (h >> 16)
