"""One utterance's way through the flow: hop after hop of speech tokens into mel, each frame computed once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cosyvoice.flow.cache import KvCache
from cosyvoice.flow.hop import HopJob
from cosyvoice.flow.prefix import release_prefix
from cosyvoice.flow.voice import FlowVoice, VoicePrefix

if TYPE_CHECKING:
    from cosyvoice.flow.prepared import PreparedFlow
    from cosyvoice.flow.reservation import FlowReservation


class FlowStream:
    """Made by PreparedFlow.open. Hops follow the chunk grid (25 tokens) counted from the prompt's start; the last
    hop may end anywhere. `close` gives the memory back, at any time."""

    def __init__(
        self, flow: PreparedFlow, voice: FlowVoice, prefix: VoicePrefix | None, reservation: FlowReservation | None
    ) -> None:
        config = flow.config
        self.voice = voice
        self.ended = False  # the final hop is done
        self.closed = False
        self._flow = flow
        self._prefix = prefix
        # All tokens whose mel is committed, after the prompt; those from `_position` on still have none.
        self._tokens = list(voice.tokens)
        self._position = voice.prefix_chunks * config.chunk_tokens
        # Look-ahead of the last hop: its last frames were computed with it, so the next hop must go on with it.
        self._lookahead: list[int] = []
        self._job: HopJob | None = None
        self._reservation = reservation
        self._tails_in = None if prefix is None else prefix.tails
        # A job reads one set of tails while it writes the other; both count.
        self._tails_bytes = 2 * flow.tails_bytes if reservation is None else 0
        flow.budget.reserve(self._tails_bytes, "a stream's convolution tails")
        if reservation is None:
            self._cache = KvCache(
                flow.kv_shape, flow.budget, block_frames=flow.block_frames, grain_frames=flow.grain_frames
            )
        else:
            self._cache = reservation.new_cache()
            reservation.stream = self

    @property
    def tokens_done(self) -> int:
        """Generated tokens whose mel is committed."""
        return len(self._tokens) - len(self.voice.tokens)

    def hop_tokens(self, at_least: int = 1) -> int:
        """The smallest number of tokens, not below `at_least`, that the next hop may cover without being final. With a
        window, not more than there is room for. Its job takes `lookahead_tokens` more."""
        config = self._flow.config
        end = len(self._tokens) + max(1, at_least)
        end = -(-end // config.chunk_tokens) * config.chunk_tokens
        room_frames = self._cache.room_frames
        if room_frames is not None:
            end = min(end, self._position + room_frames // config.frames_per_token)
        return end - len(self._tokens)

    def hop(self, tokens: Sequence[int], *, final: bool) -> HopJob:
        """The job for the next tokens, starting with the first one that has no mel yet.

        Unless `final`, the last three are look-ahead: they give no frames and come again at the start of the next
        hop, and the others must end on the chunk grid (`hop_tokens` tells). A final hop may have any number from one;
        it sees left only as far as the others do, and keeps nothing.

        A hop not yet done is cancelled by the next one: the stream stands where its last finished hop left it.
        Raises ValueError for a wrong number of tokens, other look-ahead tokens than the last hop's, an id outside the
        vocabulary, or a stream that has ended or is closed; without a reservation, CacheFull when the budget holds no
        more.
        """
        flow, config = self._flow, self._flow.config
        tokens = list(tokens)
        count = self._check(tokens, final)
        self.cancel()
        sequence = [*self._tokens, *tokens]
        frames = (len(self._tokens) + count - self._position) * config.frames_per_token
        own = [*self._cache.view(), flow.scratch_span(frames)] if final else self._cache.append(frames)
        tails_out = None if final else flow.new_tails()
        job = flow.job(
            self.voice,
            sequence,
            self._position,
            final=final,
            spans=own if self._prefix is None else [self._prefix.span, *own],
            tails_in=self._tails_in,
            tails_out=tails_out,
            left_frames=self._cache.left_frames,
        )

        def done() -> None:
            self._job = None
            self._tokens += tokens[:count]
            self._lookahead = tokens[count:]
            self._position = len(self._tokens)
            self.ended = final
            if not final:
                self._cache.commit(frames)
                self._tails_in = tails_out

        job.on_done = done
        self._job = job
        return job

    def cancel(self) -> None:
        """Stops the hop that is under way, if any. The stream is as before that hop, which may be made again."""
        if self._job is not None:
            self._job.cancel()
            self._job = None

    def close(self) -> None:
        """Stops what is under way and gives all memory back. May be called again."""
        if self.closed:
            return
        self.closed = True
        self.cancel()
        self._tails_in = None
        self._cache.close()
        self._flow.budget.release(self._tails_bytes)
        if self._reservation is not None:
            self._reservation.stream = None
        if self._prefix is not None:
            release_prefix(self._flow, self._prefix)
            self._prefix = None

    def _check(self, tokens: list[int], final: bool) -> int:
        """The number of tokens the hop turns into frames. Raises ValueError as `hop` says."""
        lookahead = self._flow.config.lookahead_tokens
        count = len(tokens) - (0 if final else lookahead)
        if self.closed or self.ended:
            raise ValueError(f"hop: expected an open stream, found one that {'is closed' if self.closed else 'ended'}")
        if count < 1:
            raise ValueError(f"hop: expected at least one token with frames of its own, found {len(tokens)} ids")
        if not final and count != self.hop_tokens(count):
            raise ValueError(
                f"hop: expected {self.hop_tokens(count)} tokens and {lookahead} of look-ahead, "
                f"to end on the chunk grid, found {count} and {lookahead}"
            )
        start = tokens[: len(self._lookahead)]
        if start != self._lookahead:
            raise ValueError(f"hop: expected the last hop's look-ahead {self._lookahead} to come first, found {start}")
        self._flow.check_ids(tokens)
        return count
