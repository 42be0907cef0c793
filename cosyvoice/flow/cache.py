"""Keys and values of completed 50-frame chunks: where they lie, how they grow, what a job sees of them.

One block of memory is [steps, layers, k|v, rows, heads, frames, head_dim]: per Euler step, per layer, for the two
rows of classifier-free guidance, or for the one without. Heads come before frames, so new frames are written in place
and any number of frames is read as a view. Blocks have one size per stream and are never moved: growth copies nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cosyvoice.errors import CacheFull
from cosyvoice.flow.budget import KvBudget


@dataclass(frozen=True)
class KvShape:
    """What one frame's keys and values take."""

    steps: int
    layers: int
    rows: int
    heads: int
    head_dim: int
    dtype: torch.dtype
    device: torch.device

    @property
    def frame_bytes(self) -> int:
        return self.steps * self.layers * 2 * self.rows * self.heads * self.head_dim * self.dtype.itemsize

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
        size = (steps, layers, 2, self.rows, self.heads, frames, self.head_dim)
        return torch.empty(size, dtype=self.dtype, device=self.device)


@dataclass(frozen=True)
class KvSpan:
    """Some frames of one block that a job sees. `first` to `last` count from the job's own first frame: negative ones
    were there before. They begin at the block's frame `offset`. A `pinned` span is seen however far back it lies."""

    block: Tensor
    first: int
    last: int
    offset: int = 0
    pinned: bool = False

    def write(self, step: int, layer: int, kv: Tensor) -> None:
        """Stores the job's own keys and values, kv [k|v, rows, heads, frames of the job, head_dim]."""
        own = max(self.first, 0)
        if self.last > own:
            self._at(step, layer, own, self.last).copy_(kv[:, :, :, own : self.last])

    def read(self, step: int, layer: int, end: int, begin: int | None = None) -> tuple[Tensor, Tensor] | None:
        """Keys and values [rows, heads, n, head_dim] from the job's frame `begin` (None: all there are) up to `end`, as
        views; None when n is 0."""
        first = self.first if begin is None or self.pinned else max(self.first, begin)
        last = min(self.last, end)
        if last <= first:
            return None
        keys, values = self._at(step, layer, first, last)
        return keys, values

    def _at(self, step: int, layer: int, first: int, last: int) -> Tensor:
        steps, layers = self.block.shape[:2]
        frames = slice(self.offset + first - self.first, self.offset + last - self.first)
        return self.block[step if steps > 1 else 0, layer if layers > 1 else 0, :, :, :, frames]


class KvCache:
    """One stream's own keys and values: a list of blocks under a budget, filled from left to right.

    The budget counts in grains of `grain_frames` (default: whole blocks). A smaller grain is right where memory is
    only taken when it is written to, as on a CPU: blocks can then be long, which attention reads fastest.

    `blocks` are filled first: memory that is the caller's, counted by nobody here. With `left_frames` there are no
    others: of the committed frames only so many are kept, and later ones take the place of older ones.
    """

    def __init__(
        self,
        shape: KvShape,
        budget: KvBudget,
        *,
        block_frames: int,
        grain_frames: int | None = None,
        blocks: Sequence[Tensor] = (),
        left_frames: int | None = None,
    ) -> None:
        self.frames = 0  # committed, those that are not kept any more too
        self.left_frames = left_frames
        self._shape = shape
        self._budget = budget
        self._block_frames = block_frames
        self._grain_frames = grain_frames or block_frames
        self._blocks = list(blocks)
        self._given_frames = sum(map(_frames, blocks))
        self._taken_bytes = 0

    @property
    def room_frames(self) -> int | None:
        """Frames that one `append` can take; None when only the budget bounds them."""
        return None if self.left_frames is None else self._given_frames - (self.frames - self._first)

    def view(self) -> list[KvSpan]:
        """The committed frames, oldest first."""
        return self._spans(0)

    def append(self, frames: int) -> list[KvSpan]:
        """The committed frames and room for `frames` more, which only `commit` makes part of the cache.

        Raises CacheFull, leaving the cache as it was, when the budget does not hold the blocks this takes.
        """
        if self.room_frames is None:
            self._grow(self.frames + frames)
        else:
            assert frames <= self.room_frames, "more frames than there is room for"
        return self._spans(frames)

    def commit(self, frames: int) -> None:
        """Keeps the first `frames` frames written since the last commit."""
        self.frames += frames
        assert self.frames - self._first <= sum(map(_frames, self._blocks)), "commit of frames that were never appended"

    def close(self) -> None:
        """Gives all memory back. May be called again."""
        self._blocks.clear()
        self._budget.release(self._taken_bytes)
        self._taken_bytes = self.frames = 0

    @property
    def _first(self) -> int:
        """The oldest frame that is kept."""
        return 0 if self.left_frames is None else max(0, self.frames - self.left_frames)

    def _grow(self, frames: int) -> None:
        """Holds the grains and blocks that `frames` frames in all take."""
        grains = -(-max(0, frames - self._given_frames) // self._grain_frames)
        more_bytes = grains * self._grain_frames * self._shape.frame_bytes - self._taken_bytes
        if more_bytes > 0:
            self._budget.reserve(more_bytes, f"{more_bytes // self._shape.frame_bytes} more frames of a stream")
            self._taken_bytes += more_bytes
        missing = frames - sum(map(_frames, self._blocks))
        for _ in range(-(-missing // self._block_frames)):
            self._blocks.append(self._shape.block(self._block_frames))

    def _spans(self, new_frames: int) -> list[KvSpan]:
        at, end = self._first, self.frames + new_frames
        spans = []
        while at < end:
            block, offset = self._locate(at)
            count = min(_frames(block) - offset, end - at)
            spans.append(KvSpan(block, at - self.frames, at - self.frames + count, offset))
            at += count
        return spans

    def _locate(self, frame: int) -> tuple[Tensor, int]:
        """The block that holds a frame, and where in it."""
        if self.left_frames is not None:
            frame %= self._given_frames
        for block in self._blocks:
            if frame < _frames(block):
                return block, frame
            frame -= _frames(block)
        raise AssertionError("no block for this frame")


def _frames(block: Tensor) -> int:
    return block.shape[-2]


def read_all(
    spans: Sequence[KvSpan], step: int, layer: int, end: int, begin: int | None = None
) -> list[tuple[Tensor, Tensor]]:
    """Segments for attention of the job's frames before `end`, from `begin` on (None: everything kept)."""
    return [segment for span in spans if (segment := span.read(step, layer, end, begin)) is not None]
