"""Keys and values of completed 50-frame chunks: where they lie, how they grow, what a job sees of them.

One block of memory is [steps, layers, k|v, rows, heads, frames, head_dim]: per Euler step, per layer, for the two
rows of classifier-free guidance. Heads come before frames, so new frames are written in place and any number of
frames is read as a view. Blocks have one size per stream and are never moved: growth copies nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cosyvoice.errors import CacheFull
from cosyvoice.flow.budget import KvBudget

CFG_ROWS = 2


@dataclass(frozen=True)
class KvShape:
    """What one frame's keys and values take."""

    steps: int
    layers: int
    heads: int
    head_dim: int
    dtype: torch.dtype
    device: torch.device

    @property
    def frame_bytes(self) -> int:
        return self.steps * self.layers * 2 * CFG_ROWS * self.heads * self.head_dim * self.dtype.itemsize

    def block(self, frames: int) -> Tensor:
        """Uninitialised memory for `frames` frames. Raises CacheFull when the device itself has none left."""
        try:
            return self._empty(self.steps, self.layers, frames)
        except RuntimeError as error:
            raise CacheFull(f"flow cache: expected room for {frames} frames on {self.device}, found {error}") from error

    def scratch(self, frames: int) -> Tensor:
        """Memory for keys and values nobody reads after the layer that wrote them: one step, one layer."""
        return self._empty(1, 1, frames)

    def _empty(self, steps: int, layers: int, frames: int) -> Tensor:
        size = (steps, layers, 2, CFG_ROWS, self.heads, frames, self.head_dim)
        return torch.empty(size, dtype=self.dtype, device=self.device)


@dataclass(frozen=True)
class KvSpan:
    """The part of one block that a job sees: `kept` frames from before, then the job's frames `first` to `last`."""

    block: Tensor
    kept: int
    first: int = 0
    last: int = 0

    def write(self, step: int, layer: int, kv: Tensor) -> None:
        """Stores the job's own keys and values, kv [k|v, rows, heads, frames of the job, head_dim]."""
        if self.last > self.first:
            new = self.kept + self.last - self.first
            self._at(step, layer)[:, :, :, self.kept : new] = kv[:, :, :, self.first : self.last]

    def read(self, step: int, layer: int, end: int) -> tuple[Tensor, Tensor] | None:
        """Keys and values [rows, heads, n, head_dim] up to the job's frame `end`, as views; None when n is 0."""
        frames = self.kept + max(0, min(end, self.last) - self.first)
        if frames == 0:
            return None
        keys, values = self._at(step, layer)[:, :, :, :frames]
        return keys, values

    def _at(self, step: int, layer: int) -> Tensor:
        steps, layers = self.block.shape[:2]
        return self.block[step if steps > 1 else 0, layer if layers > 1 else 0]


class KvCache:
    """One stream's own keys and values: a list of equal blocks under a budget, filled from left to right.

    The budget counts in grains of `grain_frames` (default: whole blocks). A smaller grain is right where memory is
    only taken when it is written to, as on a CPU: blocks can then be long, which attention reads fastest.
    `reserve_frames` are taken from the budget at once, so that a stream admitted for a known length cannot run out
    on the way; memory itself is allocated as it grows.
    """

    def __init__(
        self,
        shape: KvShape,
        budget: KvBudget,
        *,
        block_frames: int,
        reserve_frames: int = 0,
        grain_frames: int | None = None,
    ) -> None:
        self.frames = 0
        self._shape = shape
        self._budget = budget
        self._block_frames = block_frames
        self._grain_frames = grain_frames or block_frames
        self._blocks: list[Tensor] = []
        self._reserved_bytes = 0
        self._reserve(reserve_frames)

    def view(self) -> list[KvSpan]:
        """The committed frames, oldest first."""
        return self._spans(0)

    def append(self, frames: int) -> list[KvSpan]:
        """The committed frames and room for `frames` more, which only `commit` makes part of the cache.

        Raises CacheFull, leaving the cache as it was, when the budget does not hold the blocks this takes.
        """
        self._reserve(self.frames + frames)
        needed = -(-(self.frames + frames) // self._block_frames)
        while len(self._blocks) < needed:
            self._blocks.append(self._shape.block(self._block_frames))
        return self._spans(frames)

    def commit(self, frames: int) -> None:
        """Keeps the first `frames` frames written since the last commit."""
        self.frames += frames
        assert self.frames <= len(self._blocks) * self._block_frames, "commit of frames that were never appended"

    def close(self) -> None:
        """Gives all memory back. May be called again."""
        self._blocks.clear()
        self._budget.release(self._reserved_bytes)
        self._reserved_bytes = self.frames = 0

    def _reserve(self, frames: int) -> None:
        """Holds the grains that `frames` frames in all take."""
        grains = -(-frames // self._grain_frames)
        more_bytes = grains * self._grain_frames * self._shape.frame_bytes - self._reserved_bytes
        if more_bytes > 0:
            self._budget.reserve(more_bytes, f"{more_bytes // self._shape.frame_bytes} more frames of a stream")
            self._reserved_bytes += more_bytes

    def _spans(self, new_frames: int) -> list[KvSpan]:
        end = self.frames + new_frames
        spans = []
        for i, block in enumerate(self._blocks):
            start, stop = i * self._block_frames, min(end, (i + 1) * self._block_frames)
            if start >= end:
                break
            kept = min(max(self.frames - start, 0), self._block_frames)
            first = max(start - self.frames, 0)
            spans.append(KvSpan(block, kept, first, max(stop - self.frames, first)))
        return spans


def read_all(spans: Sequence[KvSpan], step: int, layer: int, end: int) -> list[tuple[Tensor, Tensor]]:
    """Segments for attention of the job's frames before `end`: everything kept, and the job's own up to `end`."""
    return [segment for span in spans if (segment := span.read(step, layer, end)) is not None]
