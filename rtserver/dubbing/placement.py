"""When each part is heard in the track. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rtserver.dubbing.cues import Part

# Cues that overlap by less follow each other: their times were rounded, not meant to be spoken at once.
OVERLAP_S = 0.1
# Less is not heard, and not told.
TOLERANCE_S = 0.05


@dataclass(frozen=True)
class Placed:
    """A part with its place in the track."""

    part: Part
    begin_s: float
    # Of its speech.
    length_s: float

    @property
    def end_s(self) -> float:
        return self.begin_s + self.length_s

    @property
    def late_s(self) -> float:
        """How long after the start of its slot it begins."""
        return self.begin_s - self.part.start_s

    @property
    def over_s(self) -> float:
        """How long after the end of its slot it ends; less than 0 if it ends before."""
        return self.end_s - self.part.end_s

    @property
    def overflows(self) -> bool:
        return self.over_s > TOLERANCE_S


def place(spoken: Iterable[tuple[Part, float]]) -> list[Placed]:
    """Parts, in the order of their slots, with the seconds of their speech -> their places.

    A part begins when its slot does. It waits for a part before it that runs over its slot, so that two parts are heard
    at once only where the file says so.
    """
    placed: list[Placed] = []
    busy_until_s = 0.0
    shown: list[Placed] = []  # parts whose slots are not over yet
    for part, length_s in spoken:
        over = [one for one in shown if one.part.end_s <= part.start_s + OVERLAP_S]
        shown = [one for one in shown if one not in over]
        busy_until_s = max([busy_until_s, *(one.end_s for one in over)])
        here = Placed(part, max(part.start_s, busy_until_s), length_s)
        placed.append(here)
        shown.append(here)
    return placed
