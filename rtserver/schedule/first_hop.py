"""How long the first hop of an utterance is, so that its sound goes out soon. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rtserver.schedule.waits import DUE_SHARE


@dataclass(frozen=True)
class TalkerPace:
    """What the talker takes for the beginning of a stream that is alone, in seconds."""

    # For a token.
    token_s: float
    # For a quantum, besides its tokens.
    quantum_s: float

    def takes_s(self, tokens: int, quanta: int) -> float:
        return tokens * self.token_s + quanta * self.quantum_s


@dataclass(frozen=True)
class HopGrid:
    """Where hops and quanta end, in speech tokens."""

    # Of a hop after the first one.
    chunk_tokens: int
    # That a hop needs after its own.
    lookahead_tokens: int
    # That follow a block of text.
    block_tokens: int


@dataclass(frozen=True)
class FirstHop:
    """A length of the first hop."""

    tokens: int
    # How long it sounds.
    sounds_s: float

    def goes_out_s(self, pace: TalkerPace, hop_s: float, grid: HopGrid) -> float:
        """When its sound goes out, from the text on. A hop and its sound take `hop_s`. The talker works meanwhile."""
        needed = self.tokens + grid.lookahead_tokens
        next_needed = needed + grid.chunk_tokens
        # A quantum ends where a block of text ends, and where the tokens of a hop are there.
        split = needed % grid.block_tokens != 0
        made_s = pace.takes_s(needed, -(-needed // grid.block_tokens)) + hop_s
        sampled_s = pace.takes_s(next_needed, -(-next_needed // grid.block_tokens) + split)
        return max(made_s, max(made_s, sampled_s) + hop_s - DUE_SHARE * self.sounds_s)


def first_hop_tokens(choices: Sequence[FirstHop], pace: TalkerPace, hop_s: float, grid: HopGrid) -> int:
    """Tokens of the first hop whose sound goes out soonest on this machine. A shorter one would be kept back longer,
    because the next sound would not follow it; a longer one would be made later."""
    return min(choices, key=lambda choice: (choice.goes_out_s(pace, hop_s, grid), choice.tokens)).tokens
