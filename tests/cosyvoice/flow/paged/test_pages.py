"""The pool of pages and tails: its size, what is shared, and that nothing is lost."""

from __future__ import annotations

import gc
from contextlib import closing

import pytest
import torch

from cosyvoice.errors import CacheFull
from cosyvoice.flow.flow import Flow
from cosyvoice.flow.memory import FlowMemory
from cosyvoice.flow.paged import plain
from cosyvoice.flow.paged.pages import Page, PagePool
from cosyvoice.flow.stepper import FlowStepper
from cosyvoice.flow.stream import FlowStream
from tests.cosyvoice.flow.speaking import SMALL, TOLERANCE, ids, make_voice, next_hop, recompute, serve, speak

pytestmark = pytest.mark.model

CHUNK = SMALL.chunk_frames
PAGE_BYTES = CHUNK * FlowMemory(SMALL, paged=True).kv_blocks.frame_bytes


def pool_of(flow: FlowStepper) -> PagePool:
    """The flow's pool."""
    assert flow.memory.pool is not None
    return flow.memory.pool


def pages_seen(flow: FlowStepper, stream: FlowStream) -> list[int]:
    """The numbers of the pages that the stream's next hop sees, its own included."""
    blocks = [span.block for span in next_hop(stream, ids(40, seed=1)).spans]
    return [block.number for block in blocks if isinstance(block, Page)]


def test_the_pool_holds_what_the_budget_counts(weights: Flow) -> None:
    """Pages and tails take no more than the budget; a page more is refused."""
    flow = serve(weights, kv_bytes=5 * PAGE_BYTES + 7, paged=True)
    pool = pool_of(flow)
    pages = [pool.block(CHUNK) for _ in range(5)]
    tails = [pool.new_tails() for _ in range(5)]
    assert len({page.number for page in pages}) == len({one.number for one in tails}) == 5
    assert sum(part.nbytes for part in [*(p.tensor for p in pages), *(t.tensor for t in tails)]) <= 5 * PAGE_BYTES
    with pytest.raises(CacheFull, match="expected a page that is free, found all 5 in use"):
        pool.block(CHUNK)
    with pytest.raises(CacheFull, match="a set of convolution tails that is free, found all 5"):
        pool.new_tails()


def test_a_place_is_free_when_nobody_refers_to_it(weights: Flow) -> None:
    """Also when another still holds what was taken after it."""
    pool = pool_of(serve(weights, kv_bytes=2 * PAGE_BYTES, paged=True))
    first, second = pool.block(CHUNK), pool.block(CHUNK)
    number = first.number
    del first
    again = pool.block(CHUNK)
    assert (again.number, pool.free_pages) == (number, 0) and second.number != number


def test_memory_is_taken_when_the_budget_is_final(weights: Flow) -> None:
    """A budget that is lowered before the first page is the size of the pool."""
    flow = serve(weights, kv_bytes=9 * PAGE_BYTES, paged=True)
    flow.memory.budget.lower(3 * PAGE_BYTES)
    page = pool_of(flow).block(CHUNK)
    assert pool_of(flow).free_pages == 2 and page.frames == CHUNK


def test_streams_of_a_voice_share_its_pages(weights: Flow) -> None:
    """The prefix's pages come first in both, and no other page is in both. They are free when the voice is dropped and
    the last stream has ended."""
    flow = serve(weights, kv_bytes=40 * PAGE_BYTES, paged=True)
    voice = make_voice(flow, 13)
    first, second = FlowStream(flow, voice), FlowStream(flow, voice)
    seen = [pages_seen(flow, stream) for stream in (first, second)]
    assert seen[0][:2] == seen[1][:2] and not set(seen[0][2:]) & set(seen[1][2:])
    first.close()
    flow.memory.budget.reserve(flow.memory.budget.free_bytes, "all the rest")
    assert speak(flow, second, ids(4, seed=2)).shape == (80, 8)
    second.close()
    assert flow.memory.prefixes.reclaim(1) == 2 * PAGE_BYTES
    assert pool_of(flow).free_pages == 40


def test_nothing_that_was_there_before_is_heard(weights: Flow) -> None:
    """With a pool full of NaN the mel is that of one pass, also with slots that no job needs."""
    flow = serve(weights, kv_bytes=30 * PAGE_BYTES, paged=True, slot_classes=(4, 16))
    voice, tokens = make_voice(flow, 8), ids(24, seed=3)
    pool = pool_of(flow)
    pool.sheets.fill_(torch.nan)
    pool.tails[SMALL.euler_steps * 2 :] = torch.nan
    with closing(FlowStream(flow, voice)) as stream:
        mel = speak(flow, stream, tokens, (1, 11))
    torch.testing.assert_close(mel, recompute(flow, 8, tokens), rtol=0, atol=TOLERANCE)


def test_every_page_comes_back(weights: Flow) -> None:
    """After reservations, cancelled hops, windows and voices that were dropped."""
    flow = serve(weights, kv_bytes=24 * PAGE_BYTES, paged=True)
    for seed in range(4):
        voice = make_voice(flow, 13, seed=seed)
        with closing(flow.memory.reserve(voice, 30, max_window_tokens=15)) as reservation:
            stream = FlowStream(flow, voice, reservation)
            speak(flow, stream, ids(40, seed=seed), (5,))
            stream.close()
            stream = FlowStream(flow, voice, reservation)
            flow.tick([next_hop(stream, ids(20, seed=seed))])
    assert flow.memory.budget.in_use_bytes == flow.memory.prefixes.size_bytes
    gc.collect()
    assert pool_of(flow).free_pages * PAGE_BYTES == 24 * PAGE_BYTES - flow.memory.prefixes.size_bytes


def test_a_large_batch_is_divided_between_jobs(weights: Flow) -> None:
    """More slots than one batch has are computed in several, and each stream's mel is its own."""
    flow = serve(weights, paged=True)
    voice = make_voice(flow, 3)
    texts = [ids(40, seed=n) for n in range(9)]
    streams = [FlowStream(flow, voice) for _ in texts]
    jobs = [stream.hop(text, final=True) for stream, text in zip(streams, texts, strict=True)]
    assert sum(job.frames for job in jobs) > 64 * CHUNK
    while not jobs[0].done:
        flow.tick(jobs)
    for job, text in zip(jobs, texts, strict=True):
        torch.testing.assert_close(job.mel, recompute(flow, 3, text), rtol=0, atol=TOLERANCE)


def test_what_slots_see_is_copied_in_parts(weights: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many slots a step has, plain PyTorch copies few keys and values at a time."""
    mels = []
    for most_bytes in (plain._GATHERED_BYTES, 1):
        monkeypatch.setattr(plain, "_GATHERED_BYTES", most_bytes)
        mels.append(recompute(serve(weights, paged=True, slot_classes=(4,)), 8, ids(40, seed=5)))
    torch.testing.assert_close(mels[1], mels[0], rtol=0, atol=TOLERANCE)


def test_a_pass_that_keeps_nothing_has_a_longest_length(weights: Flow) -> None:
    """The error says how long."""
    flow = serve(weights, paged=True)
    with pytest.raises(ValueError, match="at most 640 frames in a job that keeps nothing"):
        recompute(flow, 0, ids(321, seed=1))
