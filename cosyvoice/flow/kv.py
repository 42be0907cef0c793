"""Keys and values in memory, and what a hop sees of them.

A block's tensor is [steps, layers, k|v, rows, heads, frames, head_dim]: for each Euler step and each layer, and for
each row of classifier-free guidance (one row without guidance). Heads come before frames, so that any run of frames is
a view.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Protocol

import torch
from torch import Tensor

from cosyvoice.errors import CacheFull


@dataclass(eq=False)
class KvBlock:
    """Memory for the keys and values of a run of frames. It is free when nobody refers to the block any more."""

    # [steps, layers, k|v, rows, heads, frames, head_dim].
    tensor: Tensor

    @property
    def frames(self) -> int:
        return self.tensor.shape[-2]


class KvBlocks(Protocol):
    """Where blocks come from."""

    @property
    def frame_bytes(self) -> int:
        """Keys and values of one frame."""

    def block(self, frames: int) -> KvBlock:
        """A block of this many frames. Raises CacheFull when there is no memory left."""


@dataclass(frozen=True)
class KvShape:
    """The size of one frame's keys and values."""

    # Euler steps.
    steps: int
    layers: int
    # 2 with classifier-free guidance, 1 without.
    rows: int
    heads: int
    head_dim: int
    dtype: torch.dtype
    device: torch.device

    @property
    def frame_bytes(self) -> int:
        return self.steps * self.layers * 2 * self.rows * self.heads * self.head_dim * self.dtype.itemsize

    def block(self, frames: int) -> KvBlock:
        """Uninitialised memory for `frames` frames. Raises CacheFull when the device has no memory left."""
        try:
            return self._empty(self.steps, self.layers, frames)
        except RuntimeError as error:
            raise CacheFull(f"flow cache: expected room for {frames} frames on {self.device}, found {error}") from error

    def scratch(self, frames: int) -> KvBlock:
        """Memory for keys and values that are only read in the layer that writes them: one step, one layer."""
        return self._empty(1, 1, frames)

    def size(self, steps: int, layers: int, frames: int) -> tuple[int, ...]:
        """Of a tensor for this many steps, layers and frames."""
        return (steps, layers, 2, self.rows, self.heads, frames, self.head_dim)

    def _empty(self, steps: int, layers: int, frames: int) -> KvBlock:
        return KvBlock(torch.empty(self.size(steps, layers, frames), dtype=self.dtype, device=self.device))


@dataclass(frozen=True)
class KvSpan:
    """Some frames of one block that a job sees. Frames are counted from the job's own first frame, so frames that were
    there before have negative numbers."""

    block: KvBlock
    # First frame of the span.
    first: int
    # One after the last frame of the span.
    last: int
    # Where in the block the span begins.
    offset: int = 0
    # Seen by every frame of the job, however far back it is.
    pinned: bool = False

    def write(self, step: int, layer: int, kv: Tensor) -> None:
        """Stores the job's own keys and values: kv [k|v, rows, heads, frames of the job, head_dim]."""
        own = max(self.first, 0)
        if self.last > own:
            self._at(step, layer, own, self.last).copy_(kv[:, :, :, own : self.last])

    def read(self, step: int, layer: int, end: int, begin: int | None = None) -> tuple[Tensor, Tensor] | None:
        """Keys and values [rows, heads, n, head_dim] from the job's frame `begin` (None: from the first) up to `end`,
        as views. None when there are no such frames."""
        first = self.first if begin is None or self.pinned else max(self.first, begin)
        last = min(self.last, end)
        if last <= first:
            return None
        keys, values = self._at(step, layer, first, last)
        return keys, values

    def _at(self, step: int, layer: int, first: int, last: int) -> Tensor:
        steps, layers = self.block.tensor.shape[:2]
        frames = slice(self.offset + first - self.first, self.offset + last - self.first)
        return self.block.tensor[step if steps > 1 else 0, layer if layers > 1 else 0, :, :, :, frames]


def spans_of(blocks: Sequence[KvBlock], first: int, *, pinned: bool = False) -> list[KvSpan]:
    """Blocks one after another, as a job sees them for which they begin at frame `first`."""
    ends = accumulate((block.frames for block in blocks), initial=first)
    return [KvSpan(block, begin, end, pinned=pinned) for block, (begin, end) in zip(blocks, pairwise(ends))]


def read_all(
    spans: Sequence[KvSpan], step: int, layer: int, end: int, begin: int | None = None
) -> list[tuple[Tensor, Tensor]]:
    """Keys and values of the frames from `begin` (None: from the first) up to `end`, one pair for each span."""
    return [segment for span in spans if (segment := span.read(step, layer, end, begin)) is not None]
