"""All memory that the flow keeps from hop to hop: keys and values, convolution tails, prefixes. No model is needed.

Memory is counted first, in the budget, and allocated after that. Sizes come from the configuration.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, suppress

import torch

from cosyvoice.config import FlowConfig
from cosyvoice.errors import CacheFull
from cosyvoice.flow.budget import KvBudget
from cosyvoice.flow.cache import KvCache
from cosyvoice.flow.kv import KvBlock, KvBlocks, KvShape, KvSpan
from cosyvoice.flow.paged.pages import PagePool
from cosyvoice.flow.prefix import PrefixStore, VoicePrefix
from cosyvoice.flow.reservation import FlowReservation
from cosyvoice.flow.sizes import ReservationSizes
from cosyvoice.flow.tails import Tails, TailsShape
from cosyvoice.flow.voice import FlowVoice


class FlowMemory:
    """The budget, the prefixes of voices, the reservations of utterances and the caches of streams."""

    def __init__(
        self,
        config: FlowConfig,
        *,
        kv_bytes: int = 4 << 30,
        block_chunks: int | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
        paged: bool = False,
    ) -> None:
        """kv_bytes: limit of all streams and voices together. Nothing is allocated ahead unless it is `paged`.
        block_chunks: a cache grows by this many chunks, and attention reads it block by block. Default: 20 on a CPU,
        where a block takes memory only as it is filled; 4 elsewhere. Pages are one chunk.
        dtype: of keys, values and tails.
        paged: blocks are pages of one pool, which is allocated as a whole when the first page is taken.
        """
        device = torch.device(device)
        on_cpu = device.type == "cpu"
        if paged:
            block_chunks = 1
        elif block_chunks is None:
            block_chunks = 20 if on_cpu else 4
        if block_chunks < 1:
            raise ValueError(f"block_chunks: expected at least 1, found {block_chunks}")
        dit, steps, rows = config.dit, config.euler_steps, config.rows
        self.kv_shape = KvShape(steps, dit.depth, rows, dit.heads, dit.head_dim, dtype, device)
        self.tails_shape = TailsShape(steps, rows, dit.dim, dtype, device)
        self.block_frames = block_chunks * config.chunk_frames
        self.grain_frames = config.chunk_frames if on_cpu else self.block_frames
        self.prefixes = PrefixStore()
        self.budget = KvBudget(kv_bytes, self.prefixes.reclaim)
        self.pool = PagePool(self.kv_shape, self.tails_shape, config.chunk_frames, self.budget) if paged else None
        # Where blocks come from.
        self.kv_blocks: KvBlocks = self.pool or self.kv_shape
        self._config = config

    # Streams

    def stream_bytes(self, frames: int) -> int:
        """What a stream takes that keeps this many frames. A job reads one set of tails while it writes another. Each
        page brings memory for one set with it, so a stream takes two pages at least."""
        if self.pool is not None:
            return max(frames, 2 * self.block_frames) * self.pool.frame_bytes
        return 2 * self.tails_shape.size_bytes + frames * self.kv_shape.frame_bytes

    def new_tails(self) -> Tails:
        """Uninitialised memory for one set of tails."""
        return self.tails_shape.new() if self.pool is None else self.pool.new_tails()

    def new_cache(self, reservation: FlowReservation | None = None) -> KvCache:
        """An empty cache, in the memory of the reservation if there is one. Without a window it can grow further, under
        the budget; when that is used up, it goes on with a window if it has a reservation."""
        blocks: Sequence[KvBlock] = ()
        left_frames = None
        if reservation is not None:
            blocks = reservation.blocks
            if reservation.window_frames is not None:
                left_frames = reservation.window_frames - self._config.chunk_frames
        return KvCache(
            self.kv_blocks,
            self.budget,
            block_frames=self.block_frames,
            grain_frames=self.grain_frames,
            blocks=blocks,
            left_frames=left_frames,
            chunk_frames=None if reservation is None else self._config.chunk_frames,
        )

    def scratch_span(self, frames: int) -> KvSpan:
        """Where a job puts keys and values that no later job reads."""
        scratch = self.kv_shape.scratch(frames) if self.pool is None else self.pool.scratch
        return KvSpan(scratch, 0, frames)

    # Reservations

    def reserve(
        self,
        voice: FlowVoice,
        tokens: int,
        *,
        min_window_tokens: int | None = None,
        max_window_tokens: int | None = None,
    ) -> FlowReservation:
        """Memory for streams in this voice, one after another, of at most `tokens` generated tokens each. Their hops
        cannot meet CacheFull. It also holds the voice's prefix, or memory for it.

        Prefixes without users are dropped to make room. If that is not enough and there is a `min_window_tokens`,
        streams keep a window: half of the frames, a quarter, and so on, but at least this many tokens. With
        `max_window_tokens` the first attempt is already a window of this many tokens.

        Raises CacheFull, and takes nothing, when the smallest size does not fit. Raises ValueError for a length below
        one token.
        """
        config = self._config
        sizes = ReservationSizes(
            chunk_frames=config.chunk_frames,
            chunk_tokens=config.chunk_tokens,
            grain_frames=self.grain_frames,
            lookahead_tokens=config.lookahead_tokens,
            own_tokens=len(voice.tokens) - voice.prefix_chunks * config.chunk_tokens + config.context_tokens,
        )
        *larger, last = sizes.attempts(tokens, min_window_tokens, max_window_tokens)
        for size in larger:
            with suppress(CacheFull):
                return self.reserve_frames(voice, size.frames, windowed=size.windowed)
        return self.reserve_frames(voice, last.frames, windowed=last.windowed)

    def reserve_frames(self, voice: FlowVoice, frames: int, *, windowed: bool) -> FlowReservation:
        """Memory for exactly this many frames, a multiple of the chunk, and for the voice's prefix. Raises CacheFull
        when it does not fit; then nothing is taken."""
        size_bytes = self.stream_bytes(frames)
        with ExitStack() as held:
            # The prefix comes first: while it is held it is not dropped to make room for the rest.
            prefix = self.prefixes.acquire(voice)
            if prefix is not None:
                held.callback(self.release_prefix, prefix)
            prefix_bytes = self._prefix_bytes(voice) if prefix is None else 0
            window = "a window" if windowed else "all"
            also = " and its voice's prefix" if prefix_bytes else ""
            self.budget.reserve(size_bytes + prefix_bytes, f"an utterance with {window} of {frames} frames{also}")
            held.callback(self.budget.release, size_bytes)
            if prefix_bytes:
                held.callback(self.release_prefix, self._new_prefix(voice))
            blocks = self._blocks(frames)
            return FlowReservation(
                voice,
                blocks,
                held.pop_all(),
                size_bytes=size_bytes,
                window_frames=frames if windowed else None,
            )

    def _blocks(self, frames: int) -> list[KvBlock]:
        """Memory for this many frames, in blocks as a growing cache has them."""
        starts = range(0, frames, self.block_frames)
        return [self.kv_blocks.block(min(self.block_frames, frames - start)) for start in starts]

    # Prefixes

    def hold_prefix(self, voice: FlowVoice) -> VoicePrefix:
        """The prefix of a voice that has prefix chunks, computed or not, with one user more. Takes memory for it when
        there is none yet. Raises CacheFull."""
        prefix = self.prefixes.acquire(voice)
        if prefix is None:
            what = f"a voice prefix of {self._prefix_frames(voice)} frames"
            self.budget.reserve(self._prefix_bytes(voice), what)
            prefix = self._new_prefix(voice)
        return prefix

    def release_prefix(self, prefix: VoicePrefix) -> None:
        """One user less. A prefix that is not computed goes with its last user."""
        self.budget.release(self.prefixes.release(prefix))

    def _new_prefix(self, voice: FlowVoice) -> VoicePrefix:
        """Memory for a prefix, in the store, with one user. Its bytes are in the budget already; they are given back
        when the device has no memory left (CacheFull)."""
        frames, size_bytes = self._prefix_frames(voice), self._prefix_bytes(voice)
        try:
            # One block is best for attention that reads blocks one after the other.
            blocks = [self.kv_blocks.block(frames)] if self.pool is None else self._blocks(frames)
            prefix = VoicePrefix(voice, blocks, self.new_tails(), size_bytes, users=1)
        except Exception:
            self.budget.release(size_bytes)
            raise
        self.prefixes.put(prefix)
        return prefix

    def _prefix_bytes(self, voice: FlowVoice) -> int:
        """0 for a voice without prefix chunks."""
        if voice.prefix_chunks == 0:
            return 0
        if self.pool is not None:
            return self._prefix_frames(voice) * self.pool.frame_bytes
        return self._prefix_frames(voice) * self.kv_shape.frame_bytes + self.tails_shape.size_bytes

    def _prefix_frames(self, voice: FlowVoice) -> int:
        return voice.prefix_chunks * self._config.chunk_frames
