"""The incremental flow: equal to recomputation, batched, within its memory."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cosyvoice.checkpoint import load_module, load_state
from cosyvoice.config import DitConfig, FlowConfig, ModelConfig
from cosyvoice.errors import CacheFull
from cosyvoice.flow.flow import Flow
from cosyvoice.flow.hop import HopJob
from cosyvoice.flow.stepper import FlowStepper
from cosyvoice.flow.stream import FlowStream
from cosyvoice.models import NANO
from cosyvoice.parity.golden import Golden, deviation
from tests.cosyvoice.flow.speaking import (
    CFG_RATES,
    FORMS,
    TOLERANCE,
    ids,
    make_voice,
    next_hop,
    prefix_bytes,
    recompute,
    serve,
    speak,
    with_cfg_rate,
)
from tests.paths import GOLDEN_DIR

pytestmark = pytest.mark.model

GOLDEN = Golden(GOLDEN_DIR)
TINY = FlowConfig(vocab=6561, lookahead_channels=48, dit=DitConfig(dim=64, depth=3, heads=4, head_dim=16))


@FORMS
@pytest.mark.parametrize("hops", [(1,), (25,), (50, 1), (100,)])
def test_recorded_tokens_in_hops_give_the_recorded_mel(hops: tuple[int, ...], paged: bool) -> None:
    """With a prompt off the chunk grid, hops of any size give the original's chunk-mask mel."""
    weights = Flow(TINY)
    weights.load_state_dict(GOLDEN.tensors("tiny_flow")[0], strict=True)
    flow = serve(weights, paged=paged)
    recorded = GOLDEN.tensors("flow_offline")[0]
    voice = flow.voice(recorded["prompt_token"], recorded["prompt_feat"], recorded["embedding"])
    with closing(FlowStream(flow, voice)) as stream:
        assert stream.hop_tokens() == 13  # 25 - 37 mod 25
        mel = speak(flow, stream, recorded["token"][0].tolist(), hops)
    assert deviation(mel[None], recorded["mel_streaming_mask_finalize"]) < TOLERANCE


@settings(max_examples=25, deadline=None)
@given(
    prompt_tokens=st.integers(0, 22),
    count=st.integers(1, 40),
    hops=st.lists(st.integers(1, 17), min_size=1, max_size=4),
    block_chunks=st.integers(1, 4),
    cfg_rate=st.sampled_from(CFG_RATES),
    paged=st.booleans(),
)
def test_any_hops_equal_recomputation(
    weights: Flow, prompt_tokens: int, count: int, hops: list[int], block_chunks: int, cfg_rate: float, paged: bool
) -> None:
    """Whatever the prompt, the length, the hops, the blocks and the rows: the mel is that of one pass over all."""
    flow = serve(with_cfg_rate(weights, cfg_rate), block_chunks=block_chunks, paged=paged)
    tokens = ids(count, seed=2)
    with closing(FlowStream(flow, make_voice(flow, prompt_tokens))) as stream:
        mel = speak(flow, stream, tokens, hops)
    torch.testing.assert_close(mel, recompute(flow, prompt_tokens, tokens), rtol=0, atol=TOLERANCE)


@settings(max_examples=15, deadline=None)
@given(
    prompt_tokens=st.integers(0, 22),
    context_tokens=st.integers(1, 12),
    count=st.integers(1, 30),
    hops=st.lists(st.integers(1, 17), min_size=1, max_size=4),
    paged=st.booleans(),
)
def test_a_sequence_that_goes_on_in_hops_equals_recomputation(
    weights: Flow, prompt_tokens: int, context_tokens: int, count: int, hops: list[int], paged: bool
) -> None:
    """The mel is that part of one pass over context and tokens which belongs to the tokens."""
    flow = serve(weights, paged=paged)
    context, tokens = ids(context_tokens, seed=3), ids(count, seed=2)
    with closing(FlowStream(flow, make_voice(flow, prompt_tokens), context=context)) as stream:
        mel = speak(flow, stream, tokens, hops)
    expected = recompute(flow, prompt_tokens, [*context, *tokens])[:, 2 * context_tokens :]
    torch.testing.assert_close(mel, expected, rtol=0, atol=TOLERANCE)
    whole = recompute(flow, prompt_tokens, tokens, context=context)
    torch.testing.assert_close(whole, expected, rtol=0, atol=TOLERANCE)


def test_context_outside_the_vocabulary_is_an_error(weights: Flow) -> None:
    """The error names the id."""
    flow = serve(weights)
    with pytest.raises(ValueError, match=r"expected ids 0\.\.59, found 60"):
        FlowStream(flow, make_voice(flow, 5), context=[1, 60])


@FORMS
@pytest.mark.parametrize("cfg_rate", CFG_RATES)
def test_embedded_weights_in_hops_equal_recomputation(cfg_rate: float, paged: bool) -> None:
    """With trained weights and a real prompt, whose first hop starts inside a chunk, hops give the one-pass mel."""
    flow = Flow(replace(ModelConfig.load(NANO).flow, cfg_rate=cfg_rate))
    load_module(NANO, flow, load_state(NANO / "flow.safetensors"))
    serving = serve(flow, paged=paged)
    spoken = torch.load(NANO / "spk2info.pt", weights_only=True)["英文女"]
    prompt_tokens, tokens = spoken["flow_prompt_speech_token"][0, :40], spoken["flow_prompt_speech_token"][0, 40:]
    prompt = (prompt_tokens, spoken["prompt_speech_feat"][:, :80], spoken["flow_embedding"])
    with closing(FlowStream(serving, serving.voice(*prompt))) as stream:
        mel = speak(serving, stream, tokens.tolist())
    expected = serving.full(tokens, *prompt, block_mask=True, finalize=True)[0]
    torch.testing.assert_close(mel, expected, rtol=0, atol=TOLERANCE)


@FORMS
@pytest.mark.parametrize("cfg_rate", CFG_RATES)
def test_streams_at_different_steps_do_not_disturb_each_other(weights: Flow, cfg_rate: float, paged: bool) -> None:
    """Streams of several voices that join at different ticks, with hops of different lengths, give the mel each
    gives alone."""
    flow = serve(with_cfg_rate(weights, cfg_rate), block_chunks=3, paged=paged, slot_classes=(1, 4, 8))
    prompts = [10, 13, 0, 10]
    voices = [make_voice(flow, p, seed=p) for p in prompts]
    voices[3] = voices[0]
    texts = [ids(n, seed=n) for n in (31, 18, 9, 26)]
    streams = [FlowStream(flow, v) for v in voices]
    mels: list[list[Tensor]] = [[] for _ in streams]
    running: dict[int, HopJob] = {}
    tick = 0
    seen_steps = set()
    while not all(s.ended for s in streams):
        for i, stream in enumerate(streams):
            if i not in running and not stream.ended and tick >= i:
                running[i] = next_hop(stream, texts[i], at_least=1 + 6 * (i % 2))
        seen_steps.add(len({job.step for job in running.values()}))
        flow.tick(list(running.values()))
        for i in [i for i, job in running.items() if job.done]:
            mels[i].append(running.pop(i).mel)
        tick += 1
    assert max(seen_steps) > 1
    for i, (prompt, text) in enumerate(zip(prompts, texts, strict=True)):
        expected = recompute(flow, prompt, text, seed=prompt)
        torch.testing.assert_close(torch.cat(mels[i], 1), expected, rtol=0, atol=TOLERANCE)
        streams[i].close()


def test_a_shared_prefix_outlives_one_of_its_streams(flow: FlowStepper) -> None:
    """Two streams read one prefix; dropping one half-way leaves the other's mel as it is."""
    voice = make_voice(flow, 13)
    first, second = FlowStream(flow, voice), FlowStream(flow, voice)
    assert len(flow.memory.prefixes) == 1
    texts = ids(20, seed=5), ids(20, seed=6)
    jobs = [next_hop(first, texts[0]), next_hop(second, texts[1])]
    flow.tick(jobs)
    first.close()
    with pytest.raises(ValueError, match="expected running jobs, found one cancelled"):
        flow.tick(jobs)
    assert jobs[1].step == 1
    mel = torch.cat([flow.run(jobs[1]), speak(flow, second, texts[1])], 1)
    torch.testing.assert_close(mel, recompute(flow, 13, texts[1]), rtol=0, atol=TOLERANCE)
    second.close()


@pytest.mark.parametrize("drop", [True, False])
def test_an_abandoned_hop_can_be_made_again(flow: FlowStepper, drop: bool) -> None:
    """A hop stopped at any step leaves the stream as it was: the same or another hop gives the exact mel."""
    tokens = ids(24, seed=7)
    with closing(FlowStream(flow, make_voice(flow, 8))) as stream:
        mels = [flow.run(next_hop(stream, tokens))]
        for ticks in (0, 1, 2):
            job = next_hop(stream, tokens, at_least=7)
            for _ in range(ticks):
                flow.tick([job])
            if not drop:
                stream.cancel()
                assert job.cancelled
        mels.append(speak(flow, stream, tokens))
    torch.testing.assert_close(torch.cat(mels, 1), recompute(flow, 8, tokens), rtol=0, atol=TOLERANCE)


def test_a_new_hop_stops_the_one_before(flow: FlowStepper) -> None:
    """A stream has one hop under way; the older one can no longer be ticked and has no mel."""
    tokens = ids(24, seed=7)
    stream = FlowStream(flow, make_voice(flow, 8))
    old, new = next_hop(stream, tokens), next_hop(stream, tokens)
    with pytest.raises(ValueError, match="found one cancelled"):
        flow.tick([new, old])
    with pytest.raises(ValueError, match="found one at step 0"):
        _ = old.mel
    flow.run(new)
    with pytest.raises(ValueError, match="found one done"):
        flow.tick([new])
    new.cancel()
    assert not new.cancelled
    with pytest.raises(ValueError, match="each job once"):
        flow.tick([old, old])
    stream.close()


def test_hop_tokens_follow_the_grid_from_the_prompts_start(flow: FlowStepper) -> None:
    """The first hop ends at the first chunk boundary after the prompt, later ones span whole chunks."""
    tokens = ids(24, seed=7)
    stream = FlowStream(flow, make_voice(flow, 8))
    assert [stream.hop_tokens(n) for n in (1, 2, 3, 7, 8)] == [2, 2, 7, 7, 12]
    flow.run(next_hop(stream, tokens))
    assert stream.tokens_done == 2
    assert [stream.hop_tokens(n) for n in (0, 1, 5, 6)] == [5, 5, 5, 10]
    stream.close()


@pytest.mark.parametrize(
    ("tokens", "final", "message"),
    [
        ([1, 2, 3, 4], False, "expected 2 tokens and 3 of look-ahead, to end on the chunk grid, found 1 and 3"),
        ([1] * 9, False, "expected 7 tokens"),
        ([1, 2, 3], False, "at least one token"),
        ([], True, "at least one token"),
        ([1, 2, 3, 4, 60], False, r"ids 0\.\.59, found 60"),
    ],
)
def test_a_wrong_hop_is_refused(flow: FlowStepper, tokens: list[int], final: bool, message: str) -> None:
    """Hops off the grid, without frames or with unknown ids raise ValueError and change nothing."""
    stream = FlowStream(flow, make_voice(flow, 8))
    with pytest.raises(ValueError, match=message):
        stream.hop(tokens, final=final)
    assert stream.hop([1, 2, 3, 4, 5], final=False).frames == 10
    stream.close()


def test_look_ahead_must_come_again(flow: FlowStepper) -> None:
    """The next hop starts with the tokens that the last one looked ahead to; others are refused."""
    stream = FlowStream(flow, make_voice(flow, 8))
    flow.run(stream.hop([1, 2, 3, 4, 5], final=False))
    with pytest.raises(ValueError, match=r"look-ahead \[3, 4, 5\] to come first, found \[6, 7, 8\]"):
        stream.hop([6, 7, 8], final=True)
    with pytest.raises(ValueError, match=r"found \[3\]"):
        stream.hop([3], final=True)
    flow.run(stream.hop([3, 4, 5, 6], final=True))
    with pytest.raises(ValueError, match="found one that ended"):
        stream.hop([1], final=True)
    stream.close()
    with pytest.raises(ValueError, match="found one that is closed"):
        stream.hop([1], final=True)


def test_memory_returns_to_what_voices_hold(flow: FlowStepper) -> None:
    """A closed stream, finished or not, leaves only its voice's prefix in the budget; close may be repeated."""
    voice = make_voice(flow, 13)
    FlowStream(flow, voice).close()
    held = flow.memory.budget.in_use_bytes
    assert held == prefix_bytes(flow, 2)
    stream = FlowStream(flow, voice)
    flow.run(next_hop(stream, ids(30, seed=1), at_least=11))
    memory = flow.memory
    assert memory.budget.in_use_bytes == held + 30 * memory.kv_blocks.frame_bytes + memory.stream_bytes(0)
    flow.tick([next_hop(stream, ids(30, seed=1))])
    stream.close()
    stream.close()
    assert flow.memory.budget.in_use_bytes == held


def test_unused_voices_make_room_before_anyone_is_refused(weights: Flow) -> None:
    """When memory is short the least recently used voice without streams goes first, then CacheFull; a voice that
    went is computed again, to the same mel."""
    probe = serve(weights, block_chunks=1)
    prefix = 20 * probe.memory.kv_shape.frame_bytes + probe.memory.tails_shape.size_bytes
    tails, block = 2 * probe.memory.tails_shape.size_bytes, 10 * probe.memory.kv_shape.frame_bytes
    flow = serve(weights, block_chunks=1, kv_bytes=2 * prefix + tails + block)
    voices = [make_voice(flow, 13, seed=s) for s in (1, 2, 3)]
    FlowStream(flow, voices[0]).close()
    FlowStream(flow, voices[1]).close()
    tokens = ids(60, seed=9)
    stream = FlowStream(flow, voices[2])
    assert [v in flow.memory.prefixes for v in voices] == [False, True, True]
    flow.run(next_hop(stream, tokens))
    assert voices[1] in flow.memory.prefixes
    flow.run(next_hop(stream, tokens))
    assert voices[1] not in flow.memory.prefixes
    while flow.memory.budget.free_bytes >= block:
        flow.run(next_hop(stream, tokens))
    with pytest.raises(CacheFull, match="for 10 more frames of a stream"):
        next_hop(stream, tokens)
    stream.close()
    assert flow.memory.budget.in_use_bytes == prefix
    with closing(FlowStream(flow, voices[0])) as again:
        mel = speak(flow, again, tokens[:3])
    torch.testing.assert_close(mel, recompute(flow, 13, tokens[:3]), rtol=0, atol=TOLERANCE)


def test_a_refused_hop_can_be_made_once_there_is_room(weights: Flow) -> None:
    """CacheFull at a hop leaves the stream usable: when another stream has closed, it goes on to the exact mel."""
    probe = serve(weights, block_chunks=1)
    block = 10 * probe.memory.kv_shape.frame_bytes
    flow = serve(weights, block_chunks=1, kv_bytes=4 * probe.memory.tails_shape.size_bytes + 3 * block)
    tokens = ids(18, seed=3)
    stream, other = FlowStream(flow, make_voice(flow, 0)), flow.memory.reserve(make_voice(flow, 0), 8)
    mels = [flow.run(next_hop(stream, tokens)) for _ in range(2)]
    with pytest.raises(CacheFull):
        next_hop(stream, tokens)
    other.close()
    mels.append(speak(flow, stream, tokens))
    torch.testing.assert_close(torch.cat(mels, 1), recompute(flow, 0, tokens), rtol=0, atol=TOLERANCE)
    stream.close()
    assert flow.memory.budget.in_use_bytes == 0


def test_a_prefix_is_computed_once_even_when_asked_for_twice(flow: FlowStepper) -> None:
    """While a prefix job is under way everyone who asks gets it, and none is asked for once it is done."""
    voice = make_voice(flow, 13)
    job = flow.prefix_job(voice)
    assert job is not None
    assert flow.prefix_job(voice) is job
    flow.run(job)
    assert flow.prefix_job(voice) is None
    assert flow.memory.budget.in_use_bytes == prefix_bytes(flow, 2)


def test_opening_a_voice_whose_prefix_is_under_way_ends_that_job(flow: FlowStepper) -> None:
    """A stream needs the prefix at once: the job that another began is run to its end, in the same memory."""
    voice, tokens = make_voice(flow, 13), ids(9, seed=5)
    job = flow.prefix_job(voice)
    assert job is not None
    flow.tick([job])
    with closing(FlowStream(flow, voice)) as stream:
        assert job.done
        mel = speak(flow, stream, tokens)
    torch.testing.assert_close(mel, recompute(flow, 13, tokens), rtol=0, atol=TOLERANCE)
    assert flow.memory.budget.in_use_bytes == prefix_bytes(flow, 2)


def test_a_cancelled_prefix_gives_its_memory_back(flow: FlowStepper) -> None:
    """A prefix job that is not run to its end leaves nothing in memory; a voice without whole chunks needs none."""
    job = flow.prefix_job(make_voice(flow, 13))
    assert job is not None
    flow.tick([job])
    job.cancel()
    job.cancel()
    assert flow.memory.budget.in_use_bytes == 0
    assert len(flow.memory.prefixes) == 0
    assert flow.prefix_job(make_voice(flow, 7)) is None


def test_a_prefix_that_fits_nowhere_is_cache_full(weights: Flow) -> None:
    """Opening a voice whose prefix exceeds the budget is refused and takes nothing."""
    flow = serve(weights, kv_bytes=1000)
    with pytest.raises(CacheFull, match="a voice prefix of 20 frames"):
        FlowStream(flow, make_voice(flow, 13))
    assert flow.memory.budget.in_use_bytes == 0


def test_work_may_start_under_inference_mode(flow: FlowStepper) -> None:
    """Voices and hops made inside torch.inference_mode serve outside of it too."""
    tokens = ids(12, seed=8)
    with torch.inference_mode():
        stream = FlowStream(flow, make_voice(flow, 13))
        job = next_hop(stream, tokens)
    mel = torch.cat([flow.run(job), speak(flow, stream, tokens)], 1)
    torch.testing.assert_close(mel, recompute(flow, 13, tokens), rtol=0, atol=TOLERANCE)
    stream.close()


def test_no_jobs_are_no_work(flow: FlowStepper) -> None:
    """An empty tick does nothing."""
    flow.tick([])
