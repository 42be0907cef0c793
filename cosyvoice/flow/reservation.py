"""An utterance's memory, taken before it begins: what it has cannot run out under it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from torch import Tensor

from cosyvoice.errors import CacheFull
from cosyvoice.flow.cache import KvCache
from cosyvoice.flow.prefix import missing_bytes, new_prefix, release_prefix
from cosyvoice.flow.voice import FlowVoice

if TYPE_CHECKING:
    from cosyvoice.flow.prepared import PreparedFlow
    from cosyvoice.flow.stream import FlowStream


class FlowReservation:
    """Made by PreparedFlow.reserve. Holds what one sequence takes, for the utterance's sequences one after another, and
    the voice's prefix: its memory, where it is not computed yet. `close` gives all back, at any time.

    window_frames: with a window, a frame sees the prompt's whole chunks, its own chunk and those before it up to so
    many frames in all; None: everything before it. bytes: without the prefix, which is the voice's.
    """

    def __init__(self, flow: PreparedFlow, voice: FlowVoice, frames: int, *, windowed: bool) -> None:
        """Takes the memory of `frames` frames, whole chunks. Raises CacheFull, and takes nothing, when it is not there;
        what unused voices hold makes room."""
        self.voice = voice
        self.window_frames = frames if windowed else None
        self.bytes = 2 * flow.tails_bytes + frames * flow.kv_shape.frame_bytes
        self.stream: FlowStream | None = None  # the sequence under way
        self._flow = flow
        with ExitStack() as taken:
            # First of all: what is held is not evicted for the rest.
            prefix = flow.prefixes.acquire(voice)
            if prefix is not None:
                taken.callback(release_prefix, flow, prefix)
            prefix_bytes = missing_bytes(flow, voice)
            window = "a window" if windowed else "all"
            what = f"an utterance with {window} of {frames} frames" + (
                " and its voice's prefix" if prefix_bytes else ""
            )
            flow.budget.reserve(self.bytes + prefix_bytes, what)
            taken.callback(flow.budget.release, self.bytes)
            if prefix_bytes:
                taken.callback(release_prefix, flow, new_prefix(flow, voice))
            self._blocks = _blocks(flow, frames)
            self._taken = taken.pop_all()
        self.closed = False

    def check_free(self, voice: FlowVoice) -> None:
        """Raises ValueError unless a stream in this voice can be opened."""
        if self.closed or self.stream is not None or voice is not self.voice:
            found = "a closed one" if self.closed else "another voice's" if voice is not self.voice else "one in use"
            raise ValueError(f"reservation: expected an open one of the stream's voice without a stream, found {found}")

    def new_cache(self) -> KvCache:
        """An empty cache in the memory that is held. Without a window it can grow beyond, under the budget."""
        flow = self._flow
        left_frames = None if self.window_frames is None else self.window_frames - flow.config.chunk_frames
        return KvCache(
            flow.kv_shape,
            flow.budget,
            block_frames=flow.block_frames,
            grain_frames=flow.grain_frames,
            blocks=self._blocks,
            left_frames=left_frames,
        )

    def close(self) -> None:
        """Stops the sequence under way and gives all memory back. May be called again."""
        if self.closed:
            return
        self.closed = True
        if self.stream is not None:
            self.stream.close()
        self._blocks = []
        self._taken.close()


def reserve(
    flow: PreparedFlow, voice: FlowVoice, tokens: int, min_window_tokens: int | None, max_window_tokens: int | None
) -> FlowReservation:
    """What PreparedFlow.reserve says."""
    lengths = {"tokens": tokens, "min_window_tokens": min_window_tokens, "max_window_tokens": max_window_tokens}
    for name, length in lengths.items():
        if length is not None and length < 1:
            raise ValueError(f"{name}: expected at least 1, found {length}")
    chunk_tokens = flow.config.chunk_tokens
    own_tokens = len(voice.tokens) - voice.prefix_chunks * chunk_tokens  # of the prompt, and not in the prefix

    def window(length: int) -> int:
        first_hop_chunks = own_tokens // chunk_tokens + 1
        return _frames(flow, max(-(-length // chunk_tokens), first_hop_chunks))

    # The last hop keeps nothing, and is never shorter than the look-ahead of the one before.
    frames = _frames(flow, max(0, own_tokens + tokens - flow.config.lookahead_tokens) // chunk_tokens)
    windowed = max_window_tokens is not None and window(max_window_tokens) < frames
    if max_window_tokens is not None and windowed:
        frames = window(max_window_tokens)
    attempts = [(frames, windowed)]
    if min_window_tokens is not None:
        attempts += [(less, True) for less in _windows(frames, window(min_window_tokens), flow.grain_frames)]
    *larger, (frames, windowed) = attempts
    for more_frames, more_windowed in larger:
        with suppress(CacheFull):
            return FlowReservation(flow, voice, more_frames, windowed=more_windowed)
    return FlowReservation(flow, voice, frames, windowed=windowed)


def _windows(frames: int, least_frames: int, grain_frames: int) -> Iterator[int]:
    """Half of `frames`, half of that, and so on, down to the least; whole grains, as the others are."""
    while frames > least_frames:
        frames = max(least_frames, -(-frames // (2 * grain_frames)) * grain_frames)
        yield frames


def _frames(flow: PreparedFlow, chunks: int) -> int:
    """Frames of so many chunks, in whole grains."""
    return -(-chunks * flow.config.chunk_frames // flow.grain_frames) * flow.grain_frames


def _blocks(flow: PreparedFlow, frames: int) -> list[Tensor]:
    """Memory for so many frames, cut as a growing cache's."""
    starts = range(0, frames, flow.block_frames)
    return [flow.kv_shape.block(min(flow.block_frames, frames - start)) for start in starts]
