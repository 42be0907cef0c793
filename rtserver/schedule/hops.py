"""How long the hops of a stream are: tokens that become sound, and frames that the flow computes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class StreamSizes:
    """The sizes of a stream's hops and quanta. Hops end on the chunk grid, which begins with the prompt: the first hop
    of a sequence fills the chunk in which the prompt ends."""

    # Of the first hop of a sequence.
    first_tokens: int
    # Of the other hops.
    chunk_tokens: int
    # Tokens after a hop's own that it needs too, unless it is the last of its sequence.
    lookahead_tokens: int
    frames_per_token: int
    euler_steps: int
    # Speech tokens in a second, at speed 1.
    token_rate_hz: float
    # What the talker is asked for while no hop is short of tokens.
    quantum_tokens: int
    # Text ids that let a talker go on that has no text left, and how many tokens it then gives.
    block_ids: int
    block_tokens: int
    # Tokens of the sequence before that the first hop of a later sequence may compute too.
    context_tokens: int

    def tokens(self, done: int) -> int:
        """Of the hop that begins after `done` tokens of its sequence, if it is not the last one."""
        return self.first_tokens if done == 0 else self.chunk_tokens

    def frames(self, sequence: int, done: int, tokens: int) -> int:
        """What the flow computes for a hop of `tokens` tokens. A first hop shares its chunk with the end of the prompt,
        which is computed too; that of a later sequence may have context."""
        if done > 0:
            return tokens * self.frames_per_token
        context_tokens = self.context_tokens if sequence > 0 else 0
        return (-self.first_tokens % self.chunk_tokens + context_tokens + tokens) * self.frames_per_token


@dataclass(frozen=True)
class HopPlan:
    """One hop's place in its utterance."""

    # Index of its sequence.
    sequence: int
    # Tokens of the sequence before it.
    done: int
    # Tokens that become sound.
    tokens: int
    # Whether it is the last of its sequence.
    final: bool


class HopWork(Protocol):
    """A hop's way through the Euler steps."""

    @property
    def frames(self) -> int:
        """That are computed."""

    @property
    def steps(self) -> int:
        """Euler steps in all."""

    @property
    def step(self) -> int:
        """Euler steps that are done."""
