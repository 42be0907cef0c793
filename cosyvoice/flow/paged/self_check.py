"""How far a way to compute an Euler step deviates from plain PyTorch, on random slots."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from cosyvoice.flow.paged.pages import UNREAD_TAILS, PagePool
from cosyvoice.flow.paged.slots import CONTEXT, TABLE, SlotRows
from cosyvoice.flow.tails import CONVOLUTIONS, TAIL_FRAMES
from cosyvoice.self_check import relative_deviation
from cosyvoice.transfer import upload_array

# One Euler step: slots, states and conditions give the states after it.
StepPath = Callable[[SlotRows, Tensor, Tensor], Tensor]

# Entries of a random table, at most, and the pages that tables name.
_ENTRIES, _PAGES = 5, 4
# How far a step may deviate from the plain form, as a share of what that gives. In half precision each of the two may
# be off by 1e-2 from float32, the plain form too.
_TOLERANCES = {torch.float32: 1e-4, torch.bfloat16: 2e-2, torch.float16: 2e-2}


class PathCheck:
    """Compares ways to compute a step. It keeps some pages and one set of tails of the pool."""

    def __init__(self, pool: PagePool, mel_bins: int, dim: int) -> None:
        """Raises CacheFull when the pool has too few pages."""
        self._pool, self._mel_bins, self._dim = pool, mel_bins, dim
        self._pages = [pool.block(pool.page_frames) for _ in range(_PAGES)]
        self._tails = pool.new_tails()
        for page in self._pages:
            page.tensor.normal_()

    def deviation(self, plain: StepPath, other: StepPath, slots: int) -> float:
        """The largest deviation of states, keys, values and tails of this many slots, as a share of what is right."""
        shape = self._pool.shape
        rows = self._random_slots(slots)
        size = (slots, self._pool.page_frames)
        states = torch.randn((*size, self._mel_bins), device=shape.device)
        conditions = torch.randn((*size, self._dim), dtype=shape.dtype, device=shape.device)
        written = self._pages[0].tensor, self._tails.tensor

        def run(path: StepPath) -> tuple[Tensor, ...]:
            # Made again, not kept: a page of the released size is 172 MiB, and little more than the activations' part
            # of a GPU's memory is free now.
            numbers = torch.Generator(shape.device).manual_seed(slots)
            for tensor in written:
                tensor.normal_(generator=numbers)
            return path(rows, states, conditions) - states, *written

        right = [tensor.clone() for tensor in run(plain)]
        return max(map(relative_deviation, run(other), right))

    @property
    def tolerance(self) -> float:
        """The largest deviation that is rounding."""
        return _TOLERANCES[self._pool.shape.dtype]

    def _random_slots(self, slots: int) -> SlotRows:
        """Slots at random steps, which see random pages and themselves. The first one is kept in the first page and in
        the set of tails, the others in scratch sheets and in the set that nobody reads."""
        draw = np.random.default_rng(slots).integers
        pool, steps, layers = self._pool, self._pool.shape.steps, self._pool.shape.layers
        seen = np.array([page.number for page in self._pages[1:]])
        rows = np.zeros((slots, TABLE + _ENTRIES), np.int32)
        for slot, row in enumerate(rows):
            step, entries = draw(steps), 1 + draw(_ENTRIES)
            own = pool.kept_sheets + slot if slot else (self._pages[0].number * steps + step) * layers
            tails_out = ((UNREAD_TAILS if slot else self._tails.number) * steps + step) * CONVOLUTIONS
            first_tail = (self._tails.number * steps + step) * CONVOLUTIONS * TAIL_FRAMES
            # Half of the context is of the batch, half of the tails.
            row[CONTEXT:TABLE] = draw(0, slots * pool.page_frames, TAIL_FRAMES)
            row[CONTEXT : TABLE - TAIL_FRAMES // 2] = -1 - first_tail - np.arange(TAIL_FRAMES // 2)
            row[TABLE:] = (seen[draw(0, len(seen), _ENTRIES)] * steps + step) * layers
            row[TABLE + entries - 1 :] = own
            row[:CONTEXT] = step, pool.page_frames * draw(9), own, entries, 1 + draw(pool.page_frames), tails_out
        return SlotRows(upload_array(rows, pool.shape.device), _ENTRIES)
