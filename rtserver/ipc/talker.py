"""The messages between the acoustic process and the talker. The front passes them on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SampleQuantum:
    """Sample one quantum; see cosyvoice.talker.layout.Quantum."""

    request: str
    ids: list[int]
    max_tokens: int
    min_tokens: int
    stage: str
    history: list[int]
    seed: int


@dataclass(frozen=True)
class StopQuantum:
    """Forget a quantum."""

    request: str


@dataclass(frozen=True)
class TalkerReady:
    """The talker accepts quanta of sequences of at most `max_ids` ids."""

    max_ids: int
    load_s: float


@dataclass(frozen=True)
class Tokens:
    """A finished quantum: the sampled ids, a closing control id included."""

    request: str
    ids: list[int]
    compute_s: float


@dataclass(frozen=True)
class Refused:
    """A quantum the talker cannot run."""

    request: str
    message: str
