"""The memory of the paged flow: one tensor for keys and values, one for convolution tails.

A page holds the keys and values of one chunk, for all Euler steps and layers. A sheet is the part of a page for one
step and one layer, [k|v, rows, heads, frames, head_dim]. After the sheets of all pages come scratch sheets, for chunks
of which nothing is kept: each serves all layers of one step.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from cosyvoice.errors import CacheFull
from cosyvoice.flow.budget import KvBudget
from cosyvoice.flow.kv import KvBlock, KvShape
from cosyvoice.flow.tails import CONVOLUTIONS, TAIL_FRAMES, Tails, TailsShape

# Chunks of which nothing is kept, in one step.
SCRATCH_SHEETS = 64
# Sets of tails that belong to nobody: zeros, and what nobody reads.
ZERO_TAILS, UNREAD_TAILS = 0, 1
_COMMON_TAILS = 2


class FreeNumbers:
    """The free places of a pool. The place that was given back last is taken first."""

    def __init__(self, numbers: range, what: str) -> None:
        self._free = list(reversed(numbers))
        self._places = len(numbers)
        self._what = what

    def __len__(self) -> int:
        return len(self._free)

    def take(self) -> int:
        """Raises CacheFull when there is none."""
        if not self._free:
            raise CacheFull(f"flow cache: expected {self._what} that is free, found all {self._places} in use")
        return self._free.pop()

    def give(self, number: int) -> None:
        """Of a place that was taken."""
        self._free.append(number)


@dataclass(eq=False)
class Page(KvBlock):
    """One chunk of the pool. Its place is free when nobody refers to the page any more."""

    number: int
    free: FreeNumbers

    def __del__(self) -> None:
        self.free.give(self.number)


@dataclass(eq=False)
class PooledTails(Tails):
    """One set of the pool. Its place is free when nobody refers to the set any more."""

    number: int
    free: FreeNumbers

    def __del__(self) -> None:
        self.free.give(self.number)


class PagePool:
    """Pages and sets of tails. Memory is taken when the first is wanted: as many pages as the budget has then, each
    with one set of tails."""

    def __init__(self, shape: KvShape, tails: TailsShape, page_frames: int, budget: KvBudget) -> None:
        self.page_frames = page_frames
        self.shape = shape
        # Stands in a job's spans for chunks of which nothing is kept. They are written to scratch sheets.
        self.scratch = shape.scratch(0)
        self._tails = tails
        self._budget = budget

    @property
    def frame_bytes(self) -> int:
        """Of keys, values and tails: a page with its set of tails, divided by its frames."""
        return self.shape.frame_bytes - -self._tails.size_bytes // self.page_frames

    def block(self, frames: int) -> Page:
        """One page. Raises CacheFull."""
        assert frames == self.page_frames, "a page is one chunk"
        number = self._free_pages.take()
        return Page(self._page_view[number], number, self._free_pages)

    def new_tails(self) -> PooledTails:
        """Raises CacheFull."""
        number = self._free_tails.take()
        tensor = self.tails.unflatten(0, (-1, self.shape.steps, CONVOLUTIONS))[number].transpose(-1, -2)
        return PooledTails(tensor, number, self._free_tails)

    @property
    def free_pages(self) -> int:
        return len(self._free_pages)

    @property
    def kept_sheets(self) -> int:
        """The number of the first scratch sheet."""
        return self._pages * self.shape.steps * self.shape.layers

    @cached_property
    def sheets(self) -> Tensor:
        """[sheets, k|v, rows, heads, frames, head_dim]. A page's sheets lie step by step, layer by layer."""
        size = self.shape.size(self.kept_sheets + SCRATCH_SHEETS, 1, self.page_frames)
        return self._allocate(torch.Size(size)).squeeze(1)

    @cached_property
    def tails(self) -> Tensor:
        """[sets * steps * convolutions, rows, 30, dim]."""
        shape = self._tails
        units = (self._pages + _COMMON_TAILS) * shape.steps * CONVOLUTIONS
        tails = self._allocate(torch.Size((units, shape.rows, TAIL_FRAMES, shape.dim)))
        tails[: shape.steps * CONVOLUTIONS] = 0
        return tails

    @cached_property
    def _pages(self) -> int:
        return self._budget.total_bytes // (self.page_frames * self.frame_bytes)

    @cached_property
    def _page_view(self) -> Tensor:
        """[pages, steps, layers, k|v, rows, heads, frames, head_dim]."""
        pages: Tensor = self.sheets[: self.kept_sheets].unflatten(0, (-1, self.shape.steps, self.shape.layers))
        return pages

    @cached_property
    def _free_pages(self) -> FreeNumbers:
        return FreeNumbers(range(self._pages), "a page")

    @cached_property
    def _free_tails(self) -> FreeNumbers:
        return FreeNumbers(range(_COMMON_TAILS, _COMMON_TAILS + self._pages), "a set of convolution tails")

    def _allocate(self, size: torch.Size) -> Tensor:
        try:
            return torch.empty(size, dtype=self.shape.dtype, device=self.shape.device)
        except RuntimeError as error:
            raise CacheFull(f"flow cache: expected room for {self._pages} pages, found {error}") from error
