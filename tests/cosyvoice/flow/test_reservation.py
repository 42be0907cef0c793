"""Memory of an utterance, taken before it begins: full, then a window, then refused; no hop fails for lack of it."""

from __future__ import annotations

from contextlib import closing, suppress

import pytest
import torch

from cosyvoice.errors import CacheFull
from cosyvoice.flow.flow import Flow
from cosyvoice.flow.kv import KvBlock, KvShape
from cosyvoice.flow.stepper import FlowStepper
from cosyvoice.flow.stream import FlowStream
from tests.cosyvoice.flow.speaking import (
    CFG_RATES,
    SMALL,
    TOLERANCE,
    ids,
    make_voice,
    next_hop,
    recompute,
    serve,
    speak,
    with_cfg_rate,
)

pytestmark = pytest.mark.model

CHUNK = SMALL.chunk_frames


def chunk_bytes(flow: FlowStepper) -> int:
    """Keys and values of one chunk."""
    return CHUNK * flow.memory.kv_shape.frame_bytes


def flow_with_room(weights: Flow, *, chunks: int, tails: int) -> FlowStepper:
    """The small flow with a budget for so many chunks and so many sets of convolution tails."""
    probe = serve(weights)
    return serve(weights, kv_bytes=chunks * chunk_bytes(probe) + tails * probe.memory.tails_shape.size_bytes)


def test_a_reserved_sequence_is_never_refused(weights: Flow) -> None:
    """A stream of the reserved length speaks to its end when others have taken all the rest of the budget."""
    flow = serve(weights)
    voice, tokens = make_voice(flow, 8), ids(20, seed=4)
    with closing(flow.memory.reserve(voice, 20)) as reservation:
        assert reservation.window_frames is None
        flow.memory.budget.reserve(flow.memory.budget.free_bytes, "all the rest")
        mel = speak(flow, FlowStream(flow, voice, reservation=reservation), tokens)
    torch.testing.assert_close(mel, recompute(flow, 8, tokens), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("prompt_tokens", "tokens", "chunks"), [(0, 1, 0), (0, 7, 0), (0, 8, 1), (8, 20, 4), (13, 26, 5)]
)
def test_what_is_reserved_is_what_the_longest_sequence_keeps(
    weights: Flow, prompt_tokens: int, tokens: int, chunks: int
) -> None:
    """Chunks that are complete with their look-ahead and not the prefix's, no more: with them alone it is spoken."""
    flow = serve(weights, block_chunks=2)
    with closing(flow.memory.reserve(make_voice(flow, prompt_tokens), tokens)) as reservation:
        assert reservation.size_bytes == chunks * chunk_bytes(flow) + 2 * flow.memory.tails_shape.size_bytes
        flow.memory.budget.reserve(flow.memory.budget.free_bytes, "all the rest")
        stream = FlowStream(flow, reservation.voice, reservation=reservation)
        assert speak(flow, stream, ids(tokens, seed=4)).shape == (80, 2 * tokens)


def test_sequences_follow_each_other_in_the_same_memory(weights: Flow) -> None:
    """A reservation outlives its streams: each sequence gives its exact mel, also after one that was given up, and
    nothing is taken or given back between them."""
    flow = serve(weights, block_chunks=2)
    voice = make_voice(flow, 13)
    with closing(flow.memory.reserve(voice, 30)) as reservation:
        held = flow.memory.budget.in_use_bytes
        blocks = set()
        for length in (30, 4, 18):
            given_up = FlowStream(flow, voice, reservation=reservation)
            flow.run(next_hop(given_up, ids(30, seed=length)))
            flow.tick([next_hop(given_up, ids(30, seed=length))])
            given_up.close()
            tokens = ids(length, seed=length)
            stream = FlowStream(flow, voice, reservation=reservation)
            first = stream.hop(tokens[:5], final=False) if length > 5 else None
            blocks |= {span.block.tensor.data_ptr() for span in first.spans[1:]} if first is not None else set()
            mel = speak(flow, stream, tokens)
            stream.close()
            torch.testing.assert_close(mel, recompute(flow, 13, tokens), rtol=0, atol=TOLERANCE)
            assert flow.memory.budget.in_use_bytes == held
        assert len(blocks) == 1
    assert flow.memory.budget.in_use_bytes == flow.memory.prefixes.size_bytes == held - reservation.size_bytes


def test_without_guidance_everything_takes_half_the_memory(weights: Flow) -> None:
    """One row instead of two: an utterance, its voice's prefix and its tails take half the bytes, in the budget and in
    tensors, and twice as many utterances fit in the same budget."""
    held, tensors, fitting = [], [], []
    for flow in (serve(with_cfg_rate(weights, rate), kv_bytes=2 << 20, block_chunks=2) for rate in CFG_RATES):
        voice = make_voice(flow, 13)
        reservation = flow.memory.reserve(voice, 48)
        blocks = [span.block for span in flow.memory.new_cache(reservation).append(9 * CHUNK)]
        held.append((flow.memory.budget.in_use_bytes, reservation.size_bytes, flow.memory.tails_shape.size_bytes))
        tails, scratch = flow.memory.new_tails(), flow.memory.kv_shape.scratch(7)
        kept = [tails.tensor, *(block.tensor for block in (*blocks, scratch))]
        tensors.append(sum(tensor.nbytes for tensor in kept))
        reservations = [reservation]
        with suppress(CacheFull):
            while True:
                reservations.append(flow.memory.reserve(voice, 48))
        fitting.append(len(reservations))
    assert held[0] == tuple(2 * size for size in held[1])
    assert tensors[0] == 2 * tensors[1]
    assert fitting[1] >= 2 * fitting[0] > 2


@pytest.mark.parametrize(("free_chunks", "window_chunks"), [(9, None), (8, 5), (5, 5), (4, 3), (3, 3), (2, 2)])
def test_the_largest_window_that_fits_is_taken(weights: Flow, free_chunks: int, window_chunks: int | None) -> None:
    """Nine chunks are wanted: all of them where they fit, else half of them, half of that, down to the least."""
    flow = flow_with_room(weights, chunks=free_chunks, tails=2)
    with closing(flow.memory.reserve(make_voice(flow, 0), 48, min_window_tokens=6)) as reservation:
        assert reservation.window_frames == (None if window_chunks is None else window_chunks * CHUNK)
        assert (
            reservation.size_bytes == (window_chunks or 9) * chunk_bytes(flow) + 2 * flow.memory.tails_shape.size_bytes
        )
        flow.memory.budget.reserve(flow.memory.budget.free_bytes, "all the rest")
        stream = FlowStream(flow, reservation.voice, reservation=reservation)
        assert speak(flow, stream, ids(48, seed=1), (9, 1)).shape == (80, 96)


def test_less_than_the_least_window_is_refused(weights: Flow) -> None:
    """CacheFull names the smallest size that was tried, and nothing is taken; without a least window, the full one."""
    flow = flow_with_room(weights, chunks=1, tails=2)
    voice, tails = make_voice(flow, 0), 2 * flow.memory.tails_shape.size_bytes
    with pytest.raises(CacheFull, match=f"expected {2 * chunk_bytes(flow) + tails} .* a window of 20 frames, found"):
        flow.memory.reserve(voice, 48, min_window_tokens=6)
    with pytest.raises(CacheFull, match=f"expected {9 * chunk_bytes(flow) + tails} .* all of 90 frames, found"):
        flow.memory.reserve(voice, 48)
    assert flow.memory.budget.in_use_bytes == 0


def test_a_window_is_never_shorter_than_the_first_hop(weights: Flow) -> None:
    """A prompt whose last whole chunk waits for look-ahead makes a first hop of two chunks: the least window has two,
    and with those alone it is spoken."""
    flow = flow_with_room(weights, chunks=2, tails=2)
    voice = make_voice(flow, 7)
    with closing(flow.memory.reserve(voice, 40, min_window_tokens=1)) as reservation:
        assert reservation.window_frames == 2 * CHUNK
        assert speak(flow, FlowStream(flow, voice, reservation=reservation), ids(40, seed=1)).shape == (80, 80)


def test_blocks_are_taken_whole_where_they_are_counted_whole(weights: Flow) -> None:
    """Off the CPU a window has whole blocks, and all of them."""
    flow = flow_with_room(weights, chunks=8, tails=2)
    flow.memory.block_frames = flow.memory.grain_frames = 4 * CHUNK
    with closing(flow.memory.reserve(make_voice(flow, 0), 48, min_window_tokens=6)) as reservation:
        assert reservation.window_frames == 8 * CHUNK
        assert flow.memory.budget.free_bytes == 0


def test_unused_voices_go_before_the_window(weights: Flow) -> None:
    """The full reservation is tried with what unused voices hold; used ones stay, and the reservation gets a window."""
    flow = flow_with_room(weights, chunks=9, tails=5)
    unused, used = make_voice(flow, 8, seed=1), make_voice(flow, 8, seed=2)
    FlowStream(flow, unused).close()
    stream = FlowStream(flow, used)
    with closing(flow.memory.reserve(make_voice(flow, 0), 43)) as reservation:
        assert reservation.window_frames is None
        assert [voice in flow.memory.prefixes for voice in (unused, used)] == [False, True]
    with closing(flow.memory.reserve(make_voice(flow, 0), 48, min_window_tokens=6)) as reservation:
        assert reservation.window_frames == 5 * CHUNK
        assert used in flow.memory.prefixes
    stream.close()


def test_a_reserved_voice_is_never_evicted(weights: Flow) -> None:
    """The voice stays in memory from the reservation's opening to its end, without a stream, whoever asks for room."""
    flow = flow_with_room(weights, chunks=3, tails=3)
    voice = make_voice(flow, 8)
    FlowStream(flow, voice).close()
    reservation = flow.memory.reserve(voice, 8)
    with pytest.raises(CacheFull):
        flow.memory.budget.reserve(flow.memory.budget.total_bytes - reservation.size_bytes, "another")
    assert voice in flow.memory.prefixes
    reservation.close()
    flow.memory.budget.reserve(flow.memory.budget.total_bytes, "another")
    assert voice not in flow.memory.prefixes


def test_a_voice_that_is_not_computed_yet_is_reserved_with_the_utterance(weights: Flow) -> None:
    """The prefix counts from the reservation on, once for all of that voice: its job needs nothing more."""
    flow = serve(weights)
    voice, tokens = make_voice(flow, 13), ids(9, seed=6)
    first, second = flow.memory.reserve(voice, 9), flow.memory.reserve(voice, 9)
    prefix_bytes = 2 * chunk_bytes(flow) + flow.memory.tails_shape.size_bytes
    assert flow.memory.budget.in_use_bytes == first.size_bytes + second.size_bytes + prefix_bytes
    flow.memory.budget.reserve(flow.memory.budget.free_bytes, "all the rest")
    job = flow.prefix_job(voice)
    assert job is not None
    flow.tick([job])
    job.cancel()
    flow.run(flow.prefix_job(voice) or job)
    first.close()
    with closing(second):
        mel = speak(flow, FlowStream(flow, voice, reservation=second), tokens)
    torch.testing.assert_close(mel, recompute(flow, 13, tokens), rtol=0, atol=TOLERANCE)


def test_a_voice_for_which_there_is_no_memory_is_refused_at_once(weights: Flow) -> None:
    """CacheFull comes from the reservation, which says that it asked for the prefix too, and takes nothing."""
    flow = flow_with_room(weights, chunks=2, tails=2)
    with pytest.raises(CacheFull, match="a window of 10 frames and its voice's prefix"):
        flow.memory.reserve(make_voice(flow, 13), 48, min_window_tokens=1)
    assert flow.memory.budget.in_use_bytes == 0
    assert flow.memory.prefixes.users == 0


@pytest.mark.parametrize("end", ["cancel", "finish"])
def test_a_prefix_under_way_belongs_to_nobody_but_its_job_when_reservations_are_gone(weights: Flow, end: str) -> None:
    """A prefix job goes on when its reservation closes: cancelled, its memory is given back; finished, it is kept."""
    flow = serve(weights)
    voice = make_voice(flow, 13)
    reservation = flow.memory.reserve(voice, 9)
    job = flow.prefix_job(voice)
    assert job is not None
    reservation.close()
    assert flow.memory.budget.in_use_bytes == 2 * chunk_bytes(flow) + flow.memory.tails_shape.size_bytes
    if end == "cancel":
        job.cancel()
        assert flow.memory.budget.in_use_bytes == 0
    else:
        flow.run(job)
        assert flow.memory.budget.in_use_bytes == flow.memory.prefixes.size_bytes > 0


def test_memory_the_device_does_not_have_leads_to_a_window(weights: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is allocated with the reservation: a device that has less than the budget gives a window, or CacheFull,
    and hops allocate nothing."""
    flow = serve(weights)
    block = KvShape.block

    def small_device(shape: KvShape, frames: int) -> KvBlock:
        if frames > 5 * CHUNK:
            raise CacheFull("out of memory")
        return block(shape, frames)

    monkeypatch.setattr(KvShape, "block", small_device)
    voice = make_voice(flow, 0)
    with closing(flow.memory.reserve(voice, 48, min_window_tokens=5)) as reservation:
        assert reservation.window_frames == 5 * CHUNK
        monkeypatch.setattr(KvShape, "block", None)
        speak(flow, FlowStream(flow, voice, reservation=reservation), ids(48, seed=1))
    monkeypatch.setattr(KvShape, "block", small_device)
    with pytest.raises(CacheFull, match="out of memory"):
        flow.memory.reserve(make_voice(flow, 38), 5)
    assert flow.memory.budget.in_use_bytes == 0


def test_closing_stops_the_sequence_under_way(weights: Flow) -> None:
    """A reservation that closes takes its stream with it, and may be closed again; the stream's hop cannot go on."""
    flow = serve(weights)
    voice = make_voice(flow, 13)
    reservation = flow.memory.reserve(voice, 30)
    stream = FlowStream(flow, voice, reservation=reservation)
    job = next_hop(stream, ids(30, seed=1))
    flow.tick([job])
    reservation.close()
    reservation.close()
    assert stream.closed
    assert job.cancelled
    stream.close()
    assert flow.memory.budget.in_use_bytes == flow.memory.prefixes.size_bytes


def test_one_stream_at_a_time_and_only_the_voices_own(weights: Flow) -> None:
    """A reservation in use, closed, or of another voice opens no stream: ValueError, and nothing is taken."""
    flow = serve(weights)
    voice = make_voice(flow, 8)
    reservation = flow.memory.reserve(voice, 9)
    with pytest.raises(ValueError, match="found another voice's"):
        FlowStream(flow, make_voice(flow, 8), reservation=reservation)
    stream = FlowStream(flow, voice, reservation=reservation)
    with pytest.raises(ValueError, match="found one in use"):
        FlowStream(flow, voice, reservation=reservation)
    stream.close()
    FlowStream(flow, voice, reservation=reservation).close()
    reservation.close()
    with pytest.raises(ValueError, match="found a closed one"):
        FlowStream(flow, voice, reservation=reservation)
    assert flow.memory.budget.in_use_bytes == flow.memory.prefixes.size_bytes


def test_a_sequence_longer_than_reserved_takes_more_while_there_is_some(weights: Flow) -> None:
    """Beyond its reservation a stream without a window grows like one that has none, and gives that back itself."""
    flow = flow_with_room(weights, chunks=4, tails=2)
    voice, tokens = make_voice(flow, 0), ids(20, seed=7)
    with closing(flow.memory.reserve(voice, 13)) as reservation:
        stream = FlowStream(flow, voice, reservation=reservation)
        mel = speak(flow, stream, tokens)
        assert flow.memory.budget.in_use_bytes == reservation.size_bytes + chunk_bytes(flow)
        stream.close()
        assert flow.memory.budget.in_use_bytes == reservation.size_bytes
    torch.testing.assert_close(mel, recompute(flow, 0, tokens), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("free_chunks", "longest", "window_chunks"), [(9, 45, None), (9, 44, None), (9, 40, 8), (9, 11, 3), (7, 40, 4)]
)
def test_a_window_may_be_asked_for_where_there_is_memory(
    weights: Flow, free_chunks: int, longest: int, window_chunks: int | None
) -> None:
    """With a longest window that or a smaller one is taken, nothing where it is no shorter than all that is wanted."""
    flow = flow_with_room(weights, chunks=free_chunks, tails=2)
    voice = make_voice(flow, 0)
    with closing(flow.memory.reserve(voice, 48, min_window_tokens=6, max_window_tokens=longest)) as reservation:
        assert reservation.window_frames == (None if window_chunks is None else window_chunks * CHUNK)


@pytest.mark.parametrize("name", ["tokens", "min_window_tokens", "max_window_tokens"])
def test_lengths_of_nothing_are_refused(flow: FlowStepper, name: str) -> None:
    """Neither a sequence nor a window of no tokens can be reserved."""
    lengths = {"tokens": 1} | {name: 0}
    with pytest.raises(ValueError, match=f"^{name}: expected at least 1, found 0"):
        flow.memory.reserve(make_voice(flow, 0), **lengths)
