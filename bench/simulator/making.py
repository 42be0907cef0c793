"""How a simulated server makes its streams, and what that means for the sizes of hops. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from bench.simulator.cost_table import CHUNK_TOKENS, FRAMES_PER_TOKEN, LOOKAHEAD_TOKENS, TOKEN_S, CostTable
from rtserver.schedule.hops import HopSizes


@dataclass(frozen=True)
class Making:
    """How streams are made, whatever the schedule."""

    # Whether the prompt of a voice is computed once, and not in the first hop of every stream.
    shared_prefix: bool = True
    # Whether keys and values are kept. Otherwise every hop computes all before it again.
    incremental: bool = True
    # Seconds of left context that are seen and kept; None: all.
    window_s: float | None = None
    # Lengths of the hops in tokens, the last one repeated. Empty: the table's first hop, then chunks.
    hops: tuple[int, ...] = ()
    # How often the server looks whether the tokens of a hop are there; 0: at once.
    poll_s: float = 0.0
    # Whether a first sound may wait for its second.
    holds: bool = True
    # When the schedule wants the first sound, after the first text; None: its own target.
    first_due_s: float | None = None
    # Seconds of keys and values that are set aside for a stream.
    reserve_s: float = 20.0

    def seen_s(self, context_s: float) -> float:
        """How much of the context is seen."""
        return context_s if self.window_s is None else min(context_s, self.window_s)

    def needed_bytes(self, table: CostTable) -> float:
        """Keys and values that are set aside for a stream."""
        if not self.incremental:
            return 0.0
        prompt_s = 0.0 if self.shared_prefix else table.prompt_tokens * TOKEN_S
        return table.kv_bytes_per_s * self.seen_s(self.reserve_s + prompt_s)

    def sizes(self, table: CostTable) -> HopSizes:
        """Of the hops that are made so."""
        lengths = self.hops or (table.first_hop_tokens, CHUNK_TOKENS)
        return _Sizes(
            first_tokens=lengths[0],
            chunk_tokens=CHUNK_TOKENS,
            lookahead_tokens=LOOKAHEAD_TOKENS,
            frames_per_token=FRAMES_PER_TOKEN,
            euler_steps=table.euler_steps,
            token_rate_hz=1 / TOKEN_S,
            making=self,
            lengths=lengths,
            prompt_tokens=table.prompt_tokens,
        )


@dataclass(frozen=True)
class _Sizes(HopSizes):
    """The server's own sizes, except where the making has others."""

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

    def frames(self, done: int, tokens: int) -> int:
        if not self.making.incremental:
            return (self.prompt_tokens + done + tokens + self.lookahead_tokens) * self.frames_per_token
        if done == 0 and not self.making.shared_prefix:
            return (self.prompt_tokens + tokens) * self.frames_per_token
        return super().frames(done, tokens)
