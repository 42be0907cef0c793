"""One sequence's stream through the flow: speech tokens come in hops, and each frame of mel is computed once."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from cosyvoice.flow.hop import HopJob
from cosyvoice.flow.reservation import FlowReservation
from cosyvoice.flow.stepper import FlowStepper
from cosyvoice.flow.tails import Tails
from cosyvoice.flow.voice import FlowVoice


class FlowStream:
    """Makes the hops of one sequence. Hops end on the chunk grid (25 tokens), counted from the prompt's start; only the
    last hop may end anywhere. `close` gives the memory back, at any time."""

    def __init__(
        self,
        flow: FlowStepper,
        voice: FlowVoice,
        reservation: FlowReservation | None = None,
        *,
        context: Sequence[int] = (),
    ) -> None:
        """Computes the voice's prefix first when it is not in memory. To do that in ticks, run `flow.prefix_job`
        before.

        reservation: the stream uses its memory, and may take more. When there is no more, it keeps a window. Raises
        ValueError when it is closed, of another voice, or in use by another stream. Without a reservation the stream,
        and each of its hops, raises CacheFull when the budget is used up.

        context: the last tokens of the sequence before. They are computed with the first hop and give no mel. Raises
        ValueError for an id outside the vocabulary.
        """
        flow.check_ids(context)
        memory = flow.memory
        with ExitStack() as held:
            if reservation is not None:
                reservation.begin_stream(voice, self.close)
                held.callback(reservation.end_stream)
            if (job := flow.prefix_job(voice)) is not None:
                flow.run(job)
            self._prefix = memory.prefixes.acquire(voice)
            if self._prefix is not None:
                held.callback(memory.release_prefix, self._prefix)
            if reservation is None:
                tails_bytes = memory.stream_bytes(frames=0)
                memory.budget.reserve(tails_bytes, "a stream's convolution tails")
                held.callback(memory.budget.release, tails_bytes)
            self._cache = memory.new_cache(reservation)
            held.callback(self._cache.close)
            self._held = held.pop_all()
        self.voice = voice
        self.ended = False  # the final hop is done
        self.closed = False
        self._flow = flow
        self._reservation = reservation
        # The prompt, the context, then all tokens whose mel is committed. The next hop computes from `_position` on,
        # the first one from the end of the prefix, which is inside the prompt.
        self._tokens = [*voice.tokens, *context]
        self._context_tokens = len(context)
        self._position = voice.prefix_chunks * flow.config.chunk_tokens
        # The look-ahead of the last hop. Its last frames were computed with it, so the next hop must begin with it.
        self._lookahead: list[int] = []
        self._job: HopJob | None = None
        self._tails_in: Tails | None = None if self._prefix is None else self._prefix.tails

    @property
    def tokens_done(self) -> int:
        """Generated tokens whose mel is committed."""
        return len(self._tokens) - len(self.voice.tokens) - self._context_tokens

    @property
    def window_frames(self) -> int | None:
        """Frames that a hop sees, its own included, beside the prefix. None: all."""
        left_frames = self._cache.left_frames
        return None if left_frames is None else left_frames + self._flow.config.chunk_frames

    def hop_tokens(self, at_least: int = 1) -> int:
        """The smallest number of tokens, not below `at_least`, that the next hop can have when it is not the last. With
        a window, it is no more than the window has room for. The hop needs `lookahead_tokens` more."""
        config = self._flow.config
        end = len(self._tokens) + max(1, at_least)
        end = -(-end // config.chunk_tokens) * config.chunk_tokens
        room_frames = self._cache.room_frames
        if room_frames is not None:
            end = min(end, self._position + room_frames // config.frames_per_token)
        return end - len(self._tokens)

    def hop(self, tokens: Sequence[int], *, final: bool) -> HopJob:
        """The job for the next tokens, from the first one that has no mel yet.

        Unless `final`, the last three tokens are look-ahead. They give no frames, and they come again at the start of
        the next hop. The tokens before them must end on the chunk grid (see `hop_tokens`). A final hop has one token or
        more; it sees as far back as the others do, and nothing of it is kept.

        A new hop cancels the one before if that is not done. Raises ValueError for a wrong number of tokens, for other
        tokens than the last hop's look-ahead, for an id outside the vocabulary, and when the stream has ended or is
        closed. Without a reservation it raises CacheFull when the budget is used up.
        """
        flow, config, memory = self._flow, self._flow.config, self._flow.memory
        tokens = list(tokens)
        count = self._check(tokens, final)
        self.cancel()
        frames = (len(self._tokens) + count - self._position) * config.frames_per_token
        spans = [*self._cache.view(), memory.scratch_span(frames)] if final else self._cache.append(frames)
        if self._reservation is not None and self.window_frames is not None:
            self._reservation.begin_window(self.window_frames)
        tails_out = None if final else memory.new_tails()

        def done() -> None:
            self._job = None
            self._tokens += tokens[:count]
            self._lookahead = tokens[count:]
            self._position = len(self._tokens)
            self.ended = final
            if not final:
                self._cache.commit(frames)
                self._tails_in = tails_out

        self._job = flow.job(
            self.voice,
            [*self._tokens, *tokens],
            self._position,
            final=final,
            spans=spans if self._prefix is None else [*self._prefix.spans, *spans],
            tails_in=self._tails_in,
            tails_out=tails_out,
            left_frames=self._cache.left_frames,
            context_tokens=self._context_tokens,
            on_done=done,
        )
        return self._job

    def cancel(self) -> None:
        """Stops the hop that is under way, if any. The stream is as before that hop, which can be made again."""
        if self._job is not None:
            self._job.cancel()
            self._job = None

    def close(self) -> None:
        """Stops the hop that is under way and gives all memory back. May be called again."""
        if self.closed:
            return
        self.closed = True
        self.cancel()
        self._tails_in = self._prefix = None
        self._held.close()

    def _check(self, tokens: list[int], final: bool) -> int:
        """The number of tokens that the hop turns into frames. Raises ValueError as `hop` says."""
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
