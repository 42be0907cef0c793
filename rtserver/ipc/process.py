"""The messages that every process of the server knows: its start, its end, whether it goes on, and what it holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Count:
    """Asks the talker or the acoustic process how many objects it holds."""


@dataclass(frozen=True)
class Counted:
    """The answer to Count."""

    part: str
    # Numbers by name. Those that belong to utterances are zero when no utterance is open; a test checks that.
    held: dict[str, int]


@dataclass(frozen=True)
class Shutdown:
    """Asks a process to end."""


@dataclass(frozen=True)
class Progress:
    """What a starting process is doing."""

    part: str
    text: str


@dataclass(frozen=True)
class Fatal:
    """A process could not start or cannot go on. It exits after this."""

    part: str
    message: str


@dataclass(frozen=True)
class AskPulse:
    """Asks a process what its working thread does."""

    # Comes back in the answer.
    number: int


@dataclass(frozen=True)
class Pulse:
    """The answer to AskPulse."""

    number: int
    # How often the working thread has looked for messages. 0: it still loads.
    turn: int
    # Whether it waits for a message.
    waits: bool
    # What it works on, for the log. Empty: it does not say.
    work: str = ""


OnProgress = Callable[[Progress], None]
