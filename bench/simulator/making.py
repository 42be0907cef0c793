"""How a simulated server makes the sound of its streams, and the sizes of hops that follow from it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from bench.simulator.cost_table import CHUNK_TOKENS, FRAMES_PER_TOKEN, LOOKAHEAD_TOKENS, TOKEN_S, CostTable
from rtserver.schedule.hops import StreamSizes


@dataclass(frozen=True)
class Making:
    """How the sound of streams is made. It does not depend on the schedule."""

    # Whether the prompt of a voice is computed once, and not in the first hop of every stream.
    shared_prefix: bool = True
    # Whether keys and values are kept. Otherwise every hop computes everything before it again.
    incremental: bool = True
    # Seconds of left context that the flow sees and keeps. None: all.
    window_s: float | None = None
    # Lengths of the hops in tokens; the last one repeats. Empty: the table's first hop, then whole chunks.
    hops: tuple[int, ...] = ()
    # How often the server checks whether the tokens of a hop have come. 0: it knows at once.
    poll_s: float = 0.0
    # Whether a first sound may be held back until the next one is nearly ready.
    holds: bool = True
    # The schedule's target for the first sound, in seconds after the first text. None: its own.
    first_due_s: float | None = None
    # Keys and values are reserved for this many seconds of a stream.
    reserve_s: float = 20.0

    def seen_s(self, context_s: float) -> float:
        """How many seconds of the context the flow sees."""
        return context_s if self.window_s is None else min(context_s, self.window_s)

    def needed_bytes(self, table: CostTable) -> float:
        """Bytes of keys and values that are reserved for a stream."""
        if not self.incremental:
            return 0.0
        prompt_s = 0.0 if self.shared_prefix else table.prompt_tokens * TOKEN_S
        return table.kv_bytes_per_s * self.seen_s(self.reserve_s + prompt_s)

    def sizes(self, table: CostTable) -> StreamSizes:
        """The sizes of the streams that are made this way. Text is counted in the speech tokens that it will give."""
        lengths = self.hops or (table.first_hop_tokens, CHUNK_TOKENS)
        return _Sizes(
            first_tokens=lengths[0],
            chunk_tokens=CHUNK_TOKENS,
            lookahead_tokens=LOOKAHEAD_TOKENS,
            frames_per_token=FRAMES_PER_TOKEN,
            euler_steps=table.euler_steps,
            token_rate_hz=1 / TOKEN_S,
            quantum_tokens=CHUNK_TOKENS,
            block_ids=table.block_tokens,
            block_tokens=table.block_tokens,
            context_tokens=table.context_tokens,
            making=self,
            lengths=lengths,
            prompt_tokens=table.prompt_tokens,
        )


@dataclass(frozen=True)
class _Sizes(StreamSizes):
    """The server's own sizes, except for those that `making` changes."""

    making: Making
    lengths: tuple[int, ...]
    prompt_tokens: int

    def tokens(self, done: int) -> int:
        end = 0
        for length in self.lengths:
            end += length
            if done < end:
                return length
        return self.lengths[-1]

    def frames(self, sequence: int, done: int, tokens: int) -> int:
        if not self.making.incremental:
            return (self.prompt_tokens + done + tokens + self.lookahead_tokens) * self.frames_per_token
        if done == 0 and not self.making.shared_prefix:
            context_tokens = self.context_tokens if sequence > 0 else 0
            return (self.prompt_tokens + context_tokens + tokens) * self.frames_per_token
        return super().frames(sequence, done, tokens)
