"""The messages that every process of the server knows: its start, its end, and counts of what it holds."""

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


OnProgress = Callable[[Progress], None]
