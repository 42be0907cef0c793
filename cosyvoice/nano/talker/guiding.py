"""Guided attention: two heads of one layer are taught to look at the text id being said and at the next one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cosyvoice.config import TalkerConfig
from cosyvoice.nano.talker.sequences import TalkerExample

_FAR = -1e4
_THIS, _NEXT = 0, 1  # the heads


class AttentionGuide:
    """Sees queries and keys of a layer in a forward pass; afterwards tells how well its heads follow the text."""

    def __init__(self, config: TalkerConfig, batch: Sequence[TalkerExample], ids: Tensor) -> None:
        """ids: the batch's, padded [B, T]."""
        self._text = ids >= config.head_rows
        rows = torch.repeat_interleave(torch.tensor([len(one.guides) for one in batch]))
        guides = torch.from_numpy(np.concatenate([one.guides for one in batch]))
        self._guides = torch.cat([rows[:, None], guides], 1).to(ids.device)
        self._losses: list[Tensor] = []
        self._hits = 0.0

    def __call__(self, queries: Tensor, keys: Tensor) -> None:
        """Queries [B, heads, T, size] and keys [B, kv_heads, T, size], turned by their positions."""
        row, at, this, after = self._guides.unbind(1)
        places = torch.arange(self._text.shape[1], device=self._text.device)
        for head, aim in ((_THIS, this), (_NEXT, after)):
            scores = queries[:, head].float() @ keys[:, 0].float().transpose(1, 2) / queries.shape[-1] ** 0.5
            seen = self._text[row] & (places[None] <= at[:, None])
            scores = scores[row, at].masked_fill(~seen, _FAR)
            known = aim <= at  # in a bistream block the next text may not be there yet
            if known.any():
                self._losses.append(F.cross_entropy(scores[known], aim[known]))
            if head == _THIS:
                self._hits = float((scores.argmax(-1) == aim).float().mean())

    def loss(self) -> Tensor:
        """The sum of both heads' cross-entropies."""
        return torch.stack(self._losses).sum() if self._losses else torch.zeros(())

    def hits(self) -> float:
        """How often the first head looks most at the text id being said."""
        return self._hits
