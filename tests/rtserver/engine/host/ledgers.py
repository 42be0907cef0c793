"""Ledgers in the state in which tests begin, and messages of the processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rtserver.engine.host.ledger import Ledger
from rtserver.engine.host.steps import Step, ToOwner, ToProcess
from rtserver.ipc.engine import Audio, Open
from rtserver.ipc.message import Message
from rtserver.ipc.reading import Segment
from rtserver.ipc.talker import SampleQuantum

RATE = 24000
WORDS = [Segment([1, 2], 0, False), Segment([3], 0, True)]


def running(recovery_s: float = 30.0, stalled_s: float = 1e6) -> Ledger:
    """A ledger whose processes are both up."""
    ledger = Ledger(recovery_s, stalled_s)
    assert ledger.acoustic_up(RATE) == [] and ledger.talker_up() == []
    return ledger


def opened(ledger: Ledger, name: str = "u", now_s: float = 0.0, **change: object) -> str:
    """Opens an utterance and returns its name."""
    ledger.open(replace(Open(name, "voice"), **change), now_s)  # type: ignore[arg-type]
    return name


def pcm(first: int, samples: int) -> bytes:
    """Samples that show their position."""
    return np.arange(first, first + samples).astype("<i2").tobytes()


def audio(name: str, first: int, samples: int, resume: bytes | None = None) -> Audio:
    return Audio(name, pcm(first, samples), first / RATE, tokens=3, text_position=1.5, resume=resume)


def sample(quantum: int, seed: int = 7, utterance: str = "key") -> SampleQuantum:
    return SampleQuantum(utterance, quantum, [1, 2, 3], 25, 1, "speech", [4], seed)


def to_acoustic(*messages: Message) -> list[Step]:
    return [ToProcess("acoustic", message) for message in messages]


def to_talker(*messages: Message) -> list[Step]:
    return [ToProcess("talker", message) for message in messages]


def delivered(steps: Sequence[Step]) -> list[Message]:
    """The events that the owners get. Fails if there are other steps."""
    events: list[Message] = []
    for step in steps:
        assert isinstance(step, ToOwner), step
        events.append(step.event)
    return events


def number_of(steps: Sequence[Step]) -> int:
    """The number under which these steps send their one quantum to the talker."""
    (step,) = steps
    assert isinstance(step, ToProcess) and step.part == "talker" and isinstance(step.message, SampleQuantum)
    return step.message.quantum
