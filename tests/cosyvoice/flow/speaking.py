"""A small random flow's configuration, voices and hops, for tests that speak with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from cosyvoice.config import DitConfig, FlowConfig
from cosyvoice.flow.flow import Flow
from cosyvoice.flow.hop import HopJob
from cosyvoice.flow.memory import FlowMemory
from cosyvoice.flow.stepper import FlowStepper
from cosyvoice.flow.stream import FlowStream
from cosyvoice.flow.voice import FlowVoice

# Chunks of 5 tokens: ten frames, shorter than the convolutions' 30-frame context.
SMALL = FlowConfig(
    vocab=60,
    lookahead_channels=12,
    dit=DitConfig(dim=32, depth=2, heads=2, head_dim=16),
    chunk_frames=10,
    euler_steps=3,
)
TOLERANCE = 1e-5
FORMS = pytest.mark.parametrize("paged", [False, True], ids=["blocks", "pages"])
CFG_RATES = (0.7, 0.0)  # with guidance's two rows, and without


def numbers(*size: int, seed: int) -> Tensor:
    """Normal random numbers."""
    return torch.randn(size, generator=torch.Generator().manual_seed(seed))


def ids(count: int, seed: int) -> list[int]:
    """Random speech tokens."""
    return torch.randint(60, (count,), generator=torch.Generator().manual_seed(seed)).tolist()


def with_cfg_rate(weights: Flow, cfg_rate: float) -> Flow:
    """The same weights with another guidance."""
    flow = Flow(replace(weights.config, cfg_rate=cfg_rate)).requires_grad_(False)
    flow.load_state_dict(weights.state_dict())
    return flow


def serve(
    weights: Flow,
    *,
    kv_bytes: int = 4 << 30,
    block_chunks: int | None = None,
    dtype: torch.dtype = torch.float32,
    paged: bool = False,
    slot_classes: Sequence[int] = (),
) -> FlowStepper:
    """The serving form of these weights, with a memory of its own."""
    memory = FlowMemory(weights.config, kv_bytes=kv_bytes, block_chunks=block_chunks, dtype=dtype, paged=paged)
    return FlowStepper(weights, memory, slot_classes)


def prefix_bytes(flow: FlowStepper, chunks: int) -> int:
    """What the prefix of a voice takes that has so many chunks."""
    memory, frames = flow.memory, chunks * SMALL.chunk_frames
    if memory.pool is not None:
        return frames * memory.pool.frame_bytes
    return frames * memory.kv_shape.frame_bytes + memory.tails_shape.size_bytes


def make_voice(flow: FlowStepper, prompt_tokens: int, seed: int = 1) -> FlowVoice:
    """A random voice; the same for the same seed."""
    return flow.voice(ids(prompt_tokens, seed), numbers(2 * prompt_tokens, 80, seed=seed), numbers(192, seed=seed))


def recompute(
    flow: FlowStepper, prompt_tokens: int, tokens: Sequence[int], seed: int = 1, context: Sequence[int] = ()
) -> Tensor:
    """The mel of one pass over everything with the chunk mask."""
    prompt = (ids(prompt_tokens, seed), numbers(2 * prompt_tokens, 80, seed=seed), numbers(192, seed=seed))
    return flow.full(tokens, *prompt, block_mask=True, finalize=True, context=context)[0]


def next_hop(stream: FlowStream, tokens: Sequence[int], at_least: int = 1, lookahead: int = 3) -> HopJob:
    """The next hop of at least that many tokens, or the final one when no more are left."""
    done = stream.tokens_done
    end = done + stream.hop_tokens(at_least) + lookahead
    final = end > len(tokens)
    return stream.hop(tokens[done:] if final else tokens[done:end], final=final)


def speak(flow: FlowStepper, stream: FlowStream, tokens: Sequence[int], hops: Sequence[int] = (1,)) -> Tensor:
    """All hops one after another; sizes are taken in turn."""
    mels: list[Tensor] = []
    while not stream.ended:
        mels.append(flow.run(next_hop(stream, tokens, hops[len(mels) % len(hops)])))
    return torch.cat(mels, 1)
