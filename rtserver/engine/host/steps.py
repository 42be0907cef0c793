"""What the ledger has its owner do. Pure data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rtserver.engine.api import Event
from rtserver.ipc.message import Message

Part = Literal["talker", "acoustic"]
PARTS: tuple[Part, Part] = ("talker", "acoustic")


@dataclass(frozen=True)
class ToProcess:
    """A message for a process that is up."""

    part: Part
    message: Message


@dataclass(frozen=True)
class ToOwner:
    """An event for the owner of its utterance."""

    event: Event


Step = ToProcess | ToOwner
