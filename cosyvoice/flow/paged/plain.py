"""The slots' operations in plain PyTorch: the reference, and what runs where Triton does not."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cosyvoice.flow.dit import NORM_EPS
from cosyvoice.flow.paged.pages import PagePool
from cosyvoice.flow.paged.slots import SlotRows
from cosyvoice.flow.tails import TAIL_FRAMES

# Keys and values that are copied together. A GPU's memory is planned for kernels that copy none.
_GATHERED_BYTES = 32 << 20


class PlainKernels:
    """Of one Euler step. A batch is [rows, slots, frames, dim]."""

    def __init__(self, slots: SlotRows, pool: PagePool, rotation: Tensor) -> None:
        """rotation: of each absolute frame, [frames, head_dim / 2] complex."""
        self._pool = pool
        self._steps = slots.steps
        frames = torch.arange(pool.page_frames, device=slots.numbers.device)
        self._rotation = rotation[slots.first_frames[:, None] + frames]
        # The table's last sheet is seen in part.
        whole = pool.page_frames * (slots.table_lengths - 1) + slots.last_frames
        keys = torch.arange(slots.table_width * pool.page_frames, device=slots.numbers.device)
        self._seen = (keys < whole[:, None])[:, None, None]
        # Slots whose keys and values are copied together.
        sheet = pool.sheets[0]
        self._at_once = max(1, _GATHERED_BYTES // (slots.table_width * sheet.numel() * sheet.itemsize))
        # A page's sheets lie layer by layer; a scratch sheet serves all layers.
        self._own, self._own_moves = slots.own_sheets, slots.own_sheets < pool.kept_sheets
        self._tables, self._table_moves = slots.tables, slots.tables < pool.kept_sheets
        self._tails_out = slots.tails_out
        self._in_batch = (slots.context >= 0)[..., None]
        self._batch_context = slots.context.clamp(min=0)
        tail_frames = (-1 - slots.context).clamp(min=0)
        self._tails_in, self._tail_frames = tail_frames // TAIL_FRAMES, tail_frames % TAIL_FRAMES

    def conv_input(self, x: Tensor, convolution: int) -> Tensor:
        """Each slot's frames after its left context, [rows * slots, dim, 30 + frames]. Writes the tails of the next
        step."""
        tails = self._pool.tails
        # Two indices with a slice between them: [slots, 30, rows, dim].
        before = tails[self._tails_in + convolution, :, self._tail_frames].permute(2, 0, 1, 3)
        context = torch.where(self._in_batch, x.flatten(1, 2)[:, self._batch_context], before)
        padded = torch.cat([context, x], 2)
        tails[self._tails_out + convolution] = padded[:, :, -TAIL_FRAMES:].transpose(0, 1)
        return padded.flatten(0, 1).transpose(1, 2)

    def norm(self, h: Tensor, modulation: Tensor, scale: int, shift: int) -> Tensor:
        """Layer norm of the residual, modulated by each slot's step. modulation: [steps, parts, dim]; scale and shift:
        which parts."""
        parts = modulation[self._steps]
        normed = F.layer_norm(h, h.shape[-1:], eps=NORM_EPS).to(modulation.dtype)
        return torch.addcmul(parts[:, shift, None], normed, parts[:, scale, None])

    def add_norm(
        self, h: Tensor, out: Tensor, gates: Tensor, gate: int, modulation: Tensor, scale: int, shift: int
    ) -> Tensor:
        """Adds the output of a layer's part to the residual, in place, through the part `gate` of `gates`. Then the
        norm."""
        h.addcmul_(gates[self._steps, gate][:, None], out)
        return self.norm(h, modulation, scale, shift)

    def attend(self, qkv: Tensor, layer: int) -> Tensor:
        """qkv [rows, slots, frames, q|k|v, heads, head_dim] -> [rows, slots, frames, heads * head_dim]. Rotates head 0
        and writes keys and values to the slots' sheets first."""
        _rotate(qkv[:, :, :, :2, 0], self._rotation)
        # [q|k|v, slots, rows, heads, frames, head_dim]
        query, *own = qkv.permute(3, 1, 0, 4, 2, 5)
        sheets = self._pool.sheets
        sheets[self._own + layer * self._own_moves] = torch.stack(own, 1)
        shown = self._tables + layer * self._table_moves
        every = query.split(self._at_once), shown.split(self._at_once), self._seen.split(self._at_once)
        return torch.cat([self._attended(*part) for part in zip(*every, strict=True)]).permute(1, 0, 3, 2, 4).flatten(3)

    def _attended(self, query: Tensor, shown: Tensor, seen: Tensor) -> Tensor:
        """What some slots find. query: [slots, rows, heads, frames, head_dim], and so is what is found. shown: each
        slot's sheets of a layer; seen: which of their keys it sees."""
        # [slots, table, k|v, rows, heads, frames, head_dim] -> [k|v, slots * rows, heads, table * frames, head_dim]
        keys, values = self._pool.sheets[shown].permute(2, 0, 3, 4, 1, 5, 6).flatten(4, 5).flatten(1, 2)
        mask = seen.expand(-1, query.shape[1], -1, -1).flatten(0, 1)[:, None]
        return F.scaled_dot_product_attention(query.flatten(0, 1), keys, values, attn_mask=mask).view(query.shape)


def _rotate(heads: Tensor, rotation: Tensor) -> None:
    """Rotates pairs of neighbours by each frame's angle, in place.

    heads: [rows, slots, frames, q|k, head_dim], a view of head 0. rotation: [slots, frames, head_dim / 2] complex.
    """
    pairs = torch.view_as_complex(heads.float().unflatten(-1, (-1, 2)).contiguous())
    heads.copy_(torch.view_as_real(pairs * rotation[:, :, None]).flatten(-2))
