"""Keys and values in blocks: order, growth, commitment, memory."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cosyvoice.errors import CacheFull
from cosyvoice.flow.budget import KvBudget
from cosyvoice.flow.cache import KvCache
from cosyvoice.flow.kv import KvShape, KvSpan, read_all

SHAPE = KvShape(steps=2, layers=3, rows=2, heads=2, head_dim=4, dtype=torch.float32, device=torch.device("cpu"))
BLOCK = 8 * SHAPE.frame_bytes


def kv(first: int, frames: int, step: int = 0, layer: int = 0) -> Tensor:
    """[k|v, rows, heads, frames, head_dim], each frame filled with a number that tells frame, step and layer."""
    numbers = torch.arange(first, first + frames) + 1000.0 * step + 10000.0 * layer
    return numbers[:, None].expand(2, 2, 2, frames, 4)


def write(spans: list[KvSpan], first: int, frames: int) -> None:
    """Writes a job's frames, numbered from `first`, for every step and layer."""
    for step in range(SHAPE.steps):
        for layer in range(SHAPE.layers):
            for span in spans:
                span.write(step, layer, kv(first, frames, step, layer))


def frames_read(spans: list[KvSpan], end: int, step: int = 0, layer: int = 0) -> list[float]:
    """The number in each frame, keys and values agreeing."""
    segments = read_all(spans, step, layer, end)
    for keys, values in segments:
        assert torch.equal(keys, values)
    return [n for keys, _ in segments for n in keys[1, 1, :, 3].tolist()]


def read_frames_from(spans: list[KvSpan], end: int, begin: int) -> list[float]:
    """The number in each frame that a job sees from `begin` on."""
    return [n for keys, _ in read_all(spans, 0, 0, end, begin) for n in keys[0, 0, :, 0].tolist()]


@pytest.mark.parametrize("rows", [1, 2])
def test_frame_bytes_are_the_blocks_size(rows: int) -> None:
    """A block of n frames takes n times the bytes of one frame, which are so many times a row's."""
    shape = replace(SHAPE, rows=rows)
    block = shape.block(5)
    assert block.tensor.nbytes == 5 * shape.frame_bytes
    assert 2 * shape.frame_bytes == rows * SHAPE.frame_bytes


@given(st.lists(st.integers(1, 20), min_size=1, max_size=6))
def test_hops_of_any_length_read_back_in_order(hops: list[int]) -> None:
    """After each append everything kept and written so far is read in order, per step and layer, across blocks."""
    cache = KvCache(SHAPE, KvBudget(1 << 20), block_frames=8)
    for frames in hops:
        first = cache.frames
        spans = cache.append(frames)
        write(spans, first, frames)
        for end in (1, frames):
            expected = list(range(first + end))
            assert frames_read(spans, end) == expected
            assert frames_read(spans, end, step=1, layer=2) == [n + 21000 for n in expected]
        cache.commit(frames)
    assert frames_read(cache.view(), 0) == list(range(sum(hops)))
    cache.close()


def test_what_is_not_committed_is_not_seen() -> None:
    """Frames written by an abandoned hop are not in the view, and the next append writes over them."""
    cache = KvCache(SHAPE, KvBudget(4 * BLOCK), block_frames=8)
    write(cache.append(5), 0, 5)
    cache.commit(5)
    write(cache.append(9), 500, 9)
    assert frames_read(cache.view(), 0) == [0, 1, 2, 3, 4]
    spans = cache.append(4)
    write(spans, 5, 4)
    assert frames_read(spans, 4) == list(range(9))


def test_growth_moves_nothing() -> None:
    """Blocks that are there stay where they are when more come."""
    cache = KvCache(SHAPE, KvBudget(4 * BLOCK), block_frames=8)
    cache.append(8)
    cache.commit(8)
    before = cache.view()[0].block.tensor.data_ptr()
    cache.append(8)
    assert cache.view()[0].block.tensor.data_ptr() == before


def test_scratch_serves_every_step_and_layer() -> None:
    """Scratch memory holds one step and layer: what the last write left is what is read."""
    spans = [KvSpan(SHAPE.scratch(4), 0, 4)]
    spans[0].write(1, 2, kv(0, 4))
    assert frames_read(spans, 4, step=0, layer=1) == [0, 1, 2, 3]


def test_memory_is_taken_block_by_block_and_given_back() -> None:
    """The budget counts whole blocks; close gives all back, once."""
    budget = KvBudget(4 * BLOCK)
    cache = KvCache(SHAPE, budget, block_frames=8)
    assert budget.in_use_bytes == 0
    cache.append(9)
    assert budget.in_use_bytes == 2 * BLOCK
    cache.append(3)
    assert budget.in_use_bytes == 2 * BLOCK
    cache.close()
    cache.close()
    assert budget.in_use_bytes == 0


def test_a_grain_smaller_than_a_block_counts_what_is_written() -> None:
    """With a grain the budget counts frames in use, not the block they lie in, and still refuses what it lacks."""
    budget = KvBudget(BLOCK)
    cache = KvCache(SHAPE, budget, block_frames=80, grain_frames=2)
    cache.append(3)
    assert budget.in_use_bytes == BLOCK // 2
    with pytest.raises(CacheFull):
        cache.append(9)
    assert len(cache.append(8)) == 1 and budget.free_bytes == 0
    cache.close()
    assert budget.in_use_bytes == 0


def test_a_full_budget_leaves_the_cache_as_it_was() -> None:
    """CacheFull takes nothing: what is committed is still there and a smaller append still works."""
    budget = KvBudget(2 * BLOCK)
    cache = KvCache(SHAPE, budget, block_frames=8)
    write(cache.append(8), 0, 8)
    cache.commit(8)
    with pytest.raises(CacheFull):
        cache.append(9)
    assert frames_read(cache.view(), 0) == list(range(8))
    assert budget.in_use_bytes == BLOCK
    assert len(cache.append(8)) == 2


def test_given_blocks_are_filled_before_more_is_taken() -> None:
    """Blocks of the caller's count for nothing here; what lies beyond them is taken from the budget and given back."""
    budget = KvBudget(BLOCK)
    cache = KvCache(SHAPE, budget, block_frames=8, blocks=[SHAPE.block(8), SHAPE.block(3)])
    write(cache.append(11), 0, 11)
    cache.commit(11)
    assert budget.in_use_bytes == 0
    spans = cache.append(8)
    write(spans, 11, 8)
    assert frames_read(spans, 8) == list(range(19))
    assert budget.free_bytes == 0
    with pytest.raises(CacheFull):
        cache.append(9)
    cache.close()
    assert budget.in_use_bytes == 0


@given(st.lists(st.integers(1, 9), min_size=1, max_size=9), st.lists(st.integers(1, 5), min_size=2, max_size=4))
def test_a_window_keeps_the_last_frames_in_the_given_blocks(hops: list[int], blocks: list[int]) -> None:
    """Of any appends, those not committed too, the last `left_frames` committed frames are read, in order, and the
    job's own; no memory is taken."""
    given_frames = sum(blocks)
    left_frames = given_frames // 2
    cache = KvCache(
        SHAPE, KvBudget(0), block_frames=8, blocks=[SHAPE.block(n) for n in blocks], left_frames=left_frames
    )
    for number, hop in enumerate(hops):
        assert cache.room_frames == given_frames - min(cache.frames, left_frames)
        frames, first = min(hop, cache.room_frames), cache.frames
        if number % 2:
            write(cache.append(cache.room_frames), 500, cache.room_frames)  # a hop that is given up
        spans = cache.append(frames)
        write(spans, first, frames)
        kept = list(range(max(0, first - left_frames), first))
        assert frames_read(spans, frames, step=1, layer=2) == [
            n + 21000 for n in [*kept, *range(first, first + frames)]
        ]
        cache.commit(frames)
    assert frames_read(cache.view(), 0) == list(range(max(0, cache.frames - left_frames), cache.frames))


@settings(deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=20), st.integers(2, 5), st.integers(0, 3), st.integers(1, 3))
def test_without_more_memory_a_cache_goes_on_with_a_window(
    hops: list[int], given_chunks: int, more_chunks: int, block_chunks: int
) -> None:
    """It grows as far as the budget goes. Then the last frames are kept: all of the memory that the budget counts but
    one chunk, whatever the blocks are. No hop of a chunk fails."""
    chunk, budget = 4, KvBudget(more_chunks * 4 * SHAPE.frame_bytes)
    cache = KvCache(
        SHAPE,
        budget,
        block_frames=block_chunks * chunk,
        grain_frames=chunk,
        blocks=[SHAPE.block(given_chunks * chunk)],
        chunk_frames=chunk,
    )
    for frames in hops:
        first = cache.frames
        spans = cache.append(frames)
        write(spans, first, frames)
        seen = frames_read(spans, frames)
        if cache.left_frames is None:
            assert seen == list(range(first + frames)) and first + frames <= (given_chunks + more_chunks) * chunk
        else:
            assert cache.left_frames == (given_chunks + more_chunks - 1) * chunk
            assert seen == list(range(max(0, first - cache.left_frames), first + frames))
        cache.commit(frames)
    assert budget.in_use_bytes <= budget.total_bytes
    cache.close()
    assert budget.in_use_bytes == 0


def test_a_hop_that_has_no_room_in_a_window_either_is_refused() -> None:
    """CacheFull, and the cache is as before: a shorter hop still finds all that is committed."""
    cache = KvCache(SHAPE, KvBudget(0), block_frames=8, blocks=[SHAPE.block(16)], chunk_frames=4)
    write(cache.append(16), 0, 16)
    cache.commit(16)
    with pytest.raises(CacheFull):
        cache.append(5)
    assert cache.left_frames is None and frames_read(cache.view(), 0) == list(range(16))
    write(cache.append(4), 16, 4)
    assert cache.left_frames == 12


def test_reading_from_a_frame_on_leaves_out_what_is_before_but_not_what_is_pinned() -> None:
    """`begin` cuts spans inside and drops those before it; a pinned span is read whole."""
    pinned, before, own = (SHAPE.block(4) for _ in range(3))
    write([KvSpan(pinned, 0, 4)], 100, 4)
    write([KvSpan(before, 0, 4)], 0, 4)
    spans = [KvSpan(pinned, -4, 0, pinned=True), KvSpan(before, -3, 0, offset=1), KvSpan(own, 0, 4)]
    write(spans, 4, 4)
    assert frames_read(spans, 4) == [100, 101, 102, 103, 1, 2, 3, 4, 5, 6, 7]
    assert read_frames_from(spans, 3, -2) == [100, 101, 102, 103, 2, 3, 4, 5, 6]
    assert read_frames_from(spans, 3, 1) == [100, 101, 102, 103, 5, 6]


def test_memory_the_machine_does_not_have_is_cache_full() -> None:
    """A failed allocation is reported as CacheFull, also where the budget is set too high."""
    with pytest.raises(CacheFull, match="frames on cpu"):
        SHAPE.block(1 << 50)
