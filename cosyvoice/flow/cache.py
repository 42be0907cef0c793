"""The keys and values of one stream: a list of blocks that grows under the budget, or a ring that does not grow."""

from __future__ import annotations

from collections.abc import Sequence

from cosyvoice.errors import CacheFull
from cosyvoice.flow.budget import KvBudget
from cosyvoice.flow.kv import KvBlock, KvBlocks, KvSpan


class KvCache:
    """One stream's own keys and values: a list of blocks, filled in order. Blocks are never moved, so growth copies
    nothing.

    source: where the blocks come from that the cache takes itself.
    block_frames: length of the blocks that the cache allocates.
    grain_frames: the budget counts in multiples of this; default: whole blocks. A smaller grain is right on a CPU,
    where a block takes memory only when it is written. Blocks can then be long, which is fastest for attention.
    blocks: memory of the caller, not counted here. It is filled first.
    left_frames: with it the cache keeps only this many committed frames, in `blocks` alone, and later frames take the
    place of older ones.
    chunk_frames: with it the cache goes on in the memory that it has when the budget is used up. `left_frames` is then
    all of that memory but one chunk. None: it raises CacheFull.
    """

    def __init__(
        self,
        source: KvBlocks,
        budget: KvBudget,
        *,
        block_frames: int,
        grain_frames: int | None = None,
        blocks: Sequence[KvBlock] = (),
        left_frames: int | None = None,
        chunk_frames: int | None = None,
    ) -> None:
        self.frames = 0  # committed so far; some may no longer be kept
        self.left_frames = left_frames
        self._source = source
        self._budget = budget
        self._block_frames = block_frames
        self._grain_frames = grain_frames or block_frames
        self._blocks = list(blocks)
        self._given_frames = sum(block.frames for block in blocks)
        self._chunk_frames = chunk_frames
        self._taken_bytes = 0

    @property
    def room_frames(self) -> int | None:
        """Frames that one `append` can take. None when only the budget limits them."""
        return None if self.left_frames is None else self._capacity_frames - (self.frames - self._first)

    def view(self) -> list[KvSpan]:
        """The committed frames, oldest first."""
        return self._spans(0)

    def append(self, frames: int) -> list[KvSpan]:
        """The committed frames, and room for `frames` more. Only `commit` makes these part of the cache.

        Raises CacheFull, and leaves the cache as it was, when the budget has no room for them and neither has a window.
        """
        if self.room_frames is None:
            try:
                self._grow(self.frames + frames)
            except CacheFull:
                if not self._keep_window(frames):
                    raise
        else:
            assert frames <= self.room_frames, "more frames than there is room for"
        return self._spans(frames)

    def commit(self, frames: int) -> None:
        """Keeps the first `frames` frames written since the last commit."""
        self.frames += frames
        assert self.frames - self._first <= self._memory_frames, "commit of frames that were never appended"

    def close(self) -> None:
        """Gives all memory back. May be called again."""
        self._blocks.clear()
        self._budget.release(self._taken_bytes)
        self._taken_bytes = self.frames = 0

    @property
    def _first(self) -> int:
        """The oldest frame that is kept."""
        return 0 if self.left_frames is None else max(0, self.frames - self.left_frames)

    @property
    def _capacity_frames(self) -> int:
        """Frames that there is memory for, and that the budget counts. A block may be longer than that."""
        counted = self._given_frames + self._taken_bytes // self._source.frame_bytes
        return min(counted, self._memory_frames)

    @property
    def _memory_frames(self) -> int:
        """Frames of all blocks."""
        return sum(block.frames for block in self._blocks)

    def _keep_window(self, frames: int) -> bool:
        """Begins to write over the oldest frames. False, and nothing changes, if there would be no room for `frames`
        even so. What is committed lies at its place already: the first frame that is written over is frame 0."""
        if self._chunk_frames is None:
            return False
        left_frames = self._capacity_frames - self._chunk_frames
        if left_frames < self._chunk_frames or frames > self._capacity_frames - min(self.frames, left_frames):
            return False
        self.left_frames = left_frames
        return True

    def _grow(self, frames: int) -> None:
        """Takes memory so that there is room for `frames` frames in all."""
        grains = -(-max(0, frames - self._given_frames) // self._grain_frames)
        more_bytes = grains * self._grain_frames * self._source.frame_bytes - self._taken_bytes
        if more_bytes > 0:
            self._budget.reserve(more_bytes, f"{more_bytes // self._source.frame_bytes} more frames of a stream")
            self._taken_bytes += more_bytes
        missing = frames - self._memory_frames
        for _ in range(-(-missing // self._block_frames)):
            self._blocks.append(self._source.block(self._block_frames))

    def _spans(self, new_frames: int) -> list[KvSpan]:
        at, end = self._first, self.frames + new_frames
        spans = []
        while at < end:
            block, offset = self._locate(at)
            count = min(block.frames - offset, end - at)
            if self.left_frames is not None:
                count = min(count, self._capacity_frames - at % self._capacity_frames)
            spans.append(KvSpan(block, at - self.frames, at - self.frames + count, offset))
            at += count
        return spans

    def _locate(self, frame: int) -> tuple[KvBlock, int]:
        """The block that holds a frame, and the place in the block."""
        if self.left_frames is not None:
            frame %= self._capacity_frames
        for block in self._blocks:
            if frame < block.frames:
                return block, frame
            frame -= block.frames
        raise AssertionError("no block for this frame")
