"""The spans that every process records of an utterance, and the messages that collect them.

All times are seconds of CLOCK_MONOTONIC, which all processes of one machine share.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

# What a span is about, and which process records it. "At" means that start and end are the same moment.
Stage = Literal[
    "text",  # front, at: text came from the client
    "reader",  # reader: from the moment that the front sent the text (queued) to the end of reading it
    "starved",  # acoustic: the talker could not go on without more text
    "quantum",  # acoustic: from when a quantum could be sampled (queued), over sending it, to its answer
    "talker",  # talker: a quantum
    "text_relay",  # front: text ids on their way from the reader to the acoustic process
    "quantum_relay",  # front: a quantum on its way from the acoustic process to the talker
    "tokens_relay",  # front: speech tokens on their way back
    "flow",  # acoustic: Euler steps of a hop that followed each other without a pause
    "vocoder",  # acoustic: the samples of a hop
    "release",  # acoustic: the first sound was kept back from start to end
    "sound",  # front, at: samples came from the engine and wait to be sent
    "sent",  # front, at: samples were handed to the network
    "client",  # front: the client did not read, and sending waited for it
    "gap",  # front: the listener had nothing to hear
    "loop",  # front, of all utterances: the event loop was blocked
]


class Span(NamedTuple):
    """One piece of work, or one wait, of an utterance."""

    # The utterance's id; empty for a span that concerns all of them.
    utterance: str
    stage: Stage
    # When it could have begun.
    queued_s: float
    start_s: float
    end_s: float
    # How long the schedule expected it to take; 0 if nothing was predicted.
    predicted_s: float = 0.0
    # How much of the utterance was done at its end: characters of text, text ids when fed, speech tokens of quanta,
    # seconds of audio for sound. 0 if nothing is counted.
    reached: float = 0.0


@dataclass(frozen=True)
class AskTrace:
    """Asks a process for the spans of an utterance."""

    # Comes back in the answer.
    number: int
    utterance: str


@dataclass(frozen=True)
class Traced:
    """The spans that a process recorded of an utterance."""

    part: str
    number: int
    spans: list[Span]
    # The process has kept all its spans since this time.
    since_s: float
    # When it worked for other utterances while this one was open.
    busy: list[tuple[float, float]] = field(default_factory=list)


# The name of each process, and the function that asks it for the trace of an utterance.
TraceParts = Mapping[str, Callable[[str], Awaitable[Traced]]]
