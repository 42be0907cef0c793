"""Streams that keep a window of their frames: equal to attention with that mask, and to none where it is long."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from cosyvoice.flow.flow import Flow
from cosyvoice.flow.ode import cosine_grid, flow_noise
from cosyvoice.flow.reservation import FlowReservation
from cosyvoice.flow.stepper import FlowStepper
from cosyvoice.flow.stream import FlowStream
from tests.cosyvoice.flow.speaking import (
    CFG_RATES,
    FORMS,
    SMALL,
    TOLERANCE,
    ids,
    make_voice,
    next_hop,
    numbers,
    serve,
    speak,
    with_cfg_rate,
)

pytestmark = pytest.mark.model

CHUNK = SMALL.chunk_frames


def window_mask(frames: int, prefix_chunks: int, window_chunks: int) -> Tensor:
    """[frames, frames] bool: a frame of chunk c sees the prefix's chunks up to its own, and chunks c - window + 1 to c
    of the chunks after it."""
    chunk = torch.arange(frames) // CHUNK
    query, key = chunk[:, None], chunk[None, :]
    return (key <= query) & ((key < prefix_chunks) | (key > query - window_chunks))


def masked_mel(
    weights: Flow, monkeypatch: pytest.MonkeyPatch, prompt_tokens: int, tokens: Sequence[int], window_chunks: int
) -> Tensor:
    """The mel of Euler steps over the trainable form's velocities, with the window's mask in its attention."""
    prefix_chunks = max(0, (prompt_tokens - SMALL.lookahead_tokens) // SMALL.chunk_tokens)
    frames, prompt_frames = 2 * (prompt_tokens + len(tokens)), 2 * prompt_tokens
    mask = window_mask(frames, prefix_chunks, window_chunks)
    sequence = torch.tensor([[*ids(prompt_tokens, seed=1), *tokens]])
    cond = torch.zeros(1, 80, frames)
    cond[0, :, :prompt_frames] = numbers(prompt_frames, 80, seed=1).t()
    zeros, embedding = torch.zeros(1, 80, frames), numbers(1, 192, seed=1)
    x = flow_noise()[:frames].t()[None]
    with monkeypatch.context() as patched, torch.no_grad():
        patched.setattr("cosyvoice.flow.dit.block_mask", lambda *_: mask)
        for t, dt in zip(*cosine_grid(SMALL.euler_steps), strict=True):
            conditional = weights(x, t[None], sequence, embedding, cond, block_mask=True)
            estimator = weights.decoder.estimator
            unconditional = estimator(x, zeros, t[None], torch.zeros(1, 80), zeros, chunk_frames=CHUNK)
            x = x + dt * (conditional + weights.config.cfg_rate * (conditional - unconditional))
    return x[0, :, prompt_frames:]


def windowed(flow: FlowStepper, prompt_tokens: int, window_chunks: int) -> FlowReservation:
    """A reservation with that window for the voice of so many prompt tokens."""
    return flow.memory.reserve_frames(make_voice(flow, prompt_tokens), window_chunks * CHUNK, windowed=True)


def test_the_mask_shows_the_prefix_and_the_last_chunks() -> None:
    """Chunk by chunk: with one prefix chunk and a window of two, chunk 4 sees chunks 0, 3 and 4."""
    seen = window_mask(5 * CHUNK, prefix_chunks=1, window_chunks=2)[::CHUNK, ::CHUNK]
    assert seen.int().tolist() == [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [1, 0, 1, 1, 0], [1, 0, 0, 1, 1]]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    prompt_tokens=st.integers(0, 22),
    count=st.integers(1, 50),
    hops=st.lists(st.integers(1, 30), min_size=1, max_size=4),
    block_chunks=st.integers(1, 4),
    window_chunks=st.integers(2, 9),
    cfg_rate=st.sampled_from(CFG_RATES),
    paged=st.booleans(),
)
def test_any_window_equals_attention_with_its_mask(
    weights: Flow,
    monkeypatch: pytest.MonkeyPatch,
    prompt_tokens: int,
    count: int,
    hops: list[int],
    block_chunks: int,
    window_chunks: int,
    cfg_rate: float,
    paged: bool,
) -> None:
    """Whatever the prompt, the length, the hops, the blocks and the window: the mel is that of the trainable form with
    the mask that shows each chunk the prefix and the window's chunks."""
    weights = with_cfg_rate(weights, cfg_rate)
    flow, tokens = serve(weights, block_chunks=block_chunks, paged=paged), ids(count, seed=2)
    with closing(windowed(flow, prompt_tokens, window_chunks)) as reservation:
        mel = speak(flow, FlowStream(flow, reservation.voice, reservation=reservation), tokens, hops)
    expected = masked_mel(weights, monkeypatch, prompt_tokens, tokens, window_chunks)
    torch.testing.assert_close(mel, expected, rtol=0, atol=TOLERANCE)


@FORMS
def test_a_window_of_one_chunk_sees_no_own_frames_before_it(
    weights: Flow, monkeypatch: pytest.MonkeyPatch, paged: bool
) -> None:
    """The shortest window keeps nothing from hop to hop but the convolutions' tails."""
    flow, tokens = serve(weights, paged=paged), ids(23, seed=2)
    with closing(windowed(flow, 13, 1)) as reservation:
        mel = speak(flow, FlowStream(flow, reservation.voice, reservation=reservation), tokens)
    torch.testing.assert_close(mel, masked_mel(weights, monkeypatch, 13, tokens, 1), rtol=0, atol=TOLERANCE)


def test_a_shorter_window_is_another_mel(weights: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    """The masks that other tests compare with are told apart by the tolerance they use."""
    tokens = ids(40, seed=2)
    mels = [masked_mel(weights, monkeypatch, 13, tokens, chunks) for chunks in (2, 3, 9)]
    assert (mels[0] - mels[1]).abs().max() > 100 * TOLERANCE
    assert (mels[1] - mels[2]).abs().max() > 100 * TOLERANCE


@pytest.mark.parametrize("prompt_tokens", [0, 8, 13])
@pytest.mark.parametrize("is_windowed", [True, False])
@pytest.mark.parametrize("block_chunks", [1, 2, 20, None])
def test_a_window_that_holds_the_sequence_changes_no_bit(
    weights: Flow, prompt_tokens: int, is_windowed: bool, block_chunks: int | None
) -> None:
    """Where the window, or a reservation without one, is as long as the sequence, the mel is bit by bit that of a
    stream without reservation."""
    # None: pages.
    flow, tokens = serve(weights, block_chunks=block_chunks, paged=block_chunks is None), ids(34, seed=3)
    voice = make_voice(flow, prompt_tokens)
    with closing(FlowStream(flow, voice)) as stream:
        expected = speak(flow, stream, tokens, (1, 11))
    chunks = -(-(prompt_tokens % 5 + 5 + len(tokens)) // 5)
    with closing(flow.memory.reserve_frames(voice, chunks * CHUNK, windowed=is_windowed)) as reservation:
        mel = speak(flow, FlowStream(flow, voice, reservation=reservation), tokens, (1, 11))
    assert torch.equal(mel, expected)


def test_hops_are_no_longer_than_there_is_room_for(weights: Flow) -> None:
    """With a window of three chunks the first hop may take three, one after it only one; a longer one is refused."""
    flow = serve(weights)
    tokens = ids(60, seed=4)
    with closing(windowed(flow, 8, 3)) as reservation:
        stream = FlowStream(flow, reservation.voice, reservation=reservation)
        assert [stream.hop_tokens(n) for n in (1, 3, 12, 40)] == [2, 7, 12, 12]
        flow.run(next_hop(stream, tokens, 12))
        assert [stream.hop_tokens(n) for n in (1, 6, 40)] == [5, 5, 5]
        with pytest.raises(ValueError, match="expected 5 tokens and 3 of look-ahead"):
            stream.hop(tokens[12 : 12 + 13], final=False)


@FORMS
def test_a_hop_given_up_in_a_full_window_can_be_made_again(
    weights: Flow, monkeypatch: pytest.MonkeyPatch, paged: bool
) -> None:
    """A cancelled hop has written over nothing that the stream still sees, at any step."""
    flow, tokens = serve(weights, paged=paged), ids(48, seed=5)
    mels = []
    with closing(windowed(flow, 8, 2)) as reservation:
        stream = FlowStream(flow, reservation.voice, reservation=reservation)
        while not stream.ended:
            for ticks in (1, 2):
                job = next_hop(stream, tokens)
                for _ in range(ticks):
                    flow.tick([job])
                stream.cancel()
            mels.append(flow.run(next_hop(stream, tokens)))
    expected = masked_mel(weights, monkeypatch, 8, tokens, 2)
    torch.testing.assert_close(torch.cat(mels, 1), expected, rtol=0, atol=TOLERANCE)


@FORMS
def test_a_stream_that_finds_no_more_memory_goes_on_with_a_window(weights: Flow, paged: bool) -> None:
    """It is exact until the memory of its reservation and the budget are used up. Then it goes on in that memory, as a
    stream that had this window from the beginning does wherever that sees no more."""
    tokens, chunks = ids(60, seed=3), 4
    flow = serve(weights, block_chunks=1, paged=paged)
    voice = make_voice(flow, 0)
    with closing(flow.memory.reserve_frames(voice, chunks * CHUNK, windowed=False)) as reservation:
        flow.memory.budget.reserve(flow.memory.budget.free_bytes, "all the rest")
        stream = FlowStream(flow, voice, reservation)
        mel = speak(flow, stream, tokens)
        assert (reservation.seen_frames, stream.window_frames) == (chunks * CHUNK, chunks * CHUNK)
    alone = serve(weights, block_chunks=1, paged=paged)
    with closing(windowed(alone, 0, chunks)) as window:
        expected = speak(alone, FlowStream(alone, window.voice, window), tokens)
    before = (chunks - 1) * CHUNK
    torch.testing.assert_close(mel[:, :before], expected[:, :before], rtol=0, atol=TOLERANCE)
    assert mel.shape == expected.shape == (80, 120) and torch.isfinite(mel).all()


@FORMS
def test_a_stream_takes_more_than_its_reservation_while_there_is_some(weights: Flow, paged: bool) -> None:
    """The promise was short: the mel is exact all the same, and all memory comes back."""
    tokens, flow = ids(40, seed=4), serve(weights, block_chunks=1, paged=paged)
    voice = make_voice(flow, 0)
    reservation = flow.memory.reserve(voice, 10)
    stream = FlowStream(flow, voice, reservation)
    mel = speak(flow, stream, tokens)
    assert reservation.seen_frames is None
    assert flow.memory.budget.in_use_bytes > reservation.size_bytes
    reservation.close()
    assert flow.memory.budget.in_use_bytes == 0
    with closing(flow.memory.reserve(voice, 40)) as whole:
        torch.testing.assert_close(mel, speak(flow, FlowStream(flow, voice, whole), tokens), rtol=0, atol=TOLERANCE)
