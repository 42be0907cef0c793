"""The messages that every process of the server understands or sends: start, end, counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Count:
    """Asks talker or acoustic process what it holds."""


@dataclass(frozen=True)
class Counted:
    """What a process holds, by name. All that belongs to utterances is zero when none is open."""

    part: str
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
    """A process could not start or cannot go on; its exit follows."""

    part: str
    message: str


OnProgress = Callable[[Progress], None]
