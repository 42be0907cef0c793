"""How a voice's shared prompt chunks come into memory: first the room for them, then the job that computes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosyvoice.flow.cache import KvSpan
from cosyvoice.flow.hop import HopJob
from cosyvoice.flow.voice import FlowVoice, VoicePrefix

if TYPE_CHECKING:
    from cosyvoice.flow.prepared import PreparedFlow


def missing_bytes(flow: PreparedFlow, voice: FlowVoice) -> int:
    """What the voice's prefix takes, if it has one and no memory is taken for it yet."""
    if voice.prefix_chunks == 0 or flow.prefixes.find(voice) is not None:
        return 0
    return _frames(flow, voice) * flow.kv_shape.frame_bytes + flow.tails_bytes


def new_prefix(flow: PreparedFlow, voice: FlowVoice) -> VoicePrefix:
    """Memory for the voice's prefix, in the store, held by the caller. Its bytes must be in the budget already; they
    are given back when it raises CacheFull because the device itself has none left."""
    frames, size = _frames(flow, voice), missing_bytes(flow, voice)
    try:
        span = KvSpan(flow.kv_shape.block(frames), -frames, 0, pinned=True)
        prefix = VoicePrefix(voice, span, flow.new_tails(), size, users=1)
    except Exception:
        flow.budget.release(size)
        raise
    flow.prefixes.put(prefix)
    return prefix


def release_prefix(flow: PreparedFlow, prefix: VoicePrefix) -> None:
    """One user less; what nobody wants any more before it was computed is dropped."""
    flow.budget.release(flow.prefixes.release(prefix))


def prefix_job(flow: PreparedFlow, voice: FlowVoice) -> HopJob | None:
    """What PreparedFlow.prefix_job says."""
    if voice.prefix_chunks == 0 or voice in flow.prefixes:
        return None
    prefix = flow.prefixes.acquire(voice)
    if prefix is None:
        flow.budget.reserve(missing_bytes(flow, voice), f"a voice prefix of {_frames(flow, voice)} frames")
        prefix = new_prefix(flow, voice)
    try:
        return prefix.job or _start(flow, prefix)
    finally:
        release_prefix(flow, prefix)


def _start(flow: PreparedFlow, prefix: VoicePrefix) -> HopJob:
    def done() -> None:
        prefix.ready = True
        prefix.job = None

    def cancelled() -> None:
        prefix.job = None
        flow.budget.release(flow.prefixes.drop_unwanted(prefix))

    voice, frames = prefix.voice, _frames(flow, prefix.voice)
    tokens = voice.tokens[: frames // flow.config.frames_per_token + flow.config.lookahead_tokens]
    spans = [KvSpan(prefix.span.block, 0, frames)]
    job = flow.job(voice, tokens, 0, final=False, spans=spans, tails_in=None, tails_out=prefix.tails)
    job.on_done, job.on_cancel = done, cancelled
    prefix.job = job
    return job


def _frames(flow: PreparedFlow, voice: FlowVoice) -> int:
    """Of the voice's whole prompt chunks."""
    return voice.prefix_chunks * flow.config.chunk_frames
