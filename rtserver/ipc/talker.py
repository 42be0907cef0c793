"""The messages between the acoustic process and the talker. The engine host passes them on.

A quantum is identified by its utterance and a number. The acoustic process numbers the quanta of each utterance from 1.
The host gives each quantum a number of its own on its way to the talker, and translates the answer back.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SampleQuantum:
    """Sample one quantum. The fields after `quantum` are those of cosyvoice.talker.layout.Quantum, and the seed."""

    utterance: str
    quantum: int
    ids: list[int]
    max_tokens: int
    min_tokens: int
    stage: str
    history: list[int]
    seed: int


@dataclass(frozen=True)
class StopQuantum:
    """Forget a quantum. No answer to it is needed any more."""

    utterance: str
    quantum: int


@dataclass(frozen=True)
class TalkerReady:
    """The talker accepts quanta of sequences of at most `max_ids` ids."""

    max_ids: int
    load_s: float


@dataclass(frozen=True)
class Tokens:
    """The answer to a quantum: the sampled ids, with the control id that ended it, if any."""

    utterance: str
    quantum: int
    ids: list[int]
    compute_s: float


@dataclass(frozen=True)
class Refused:
    """The talker cannot run a quantum; `message` says why."""

    utterance: str
    quantum: int
    message: str
