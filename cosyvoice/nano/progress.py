"""Progress of long work: what is done, and the time the rest will take, judged by processor time spent.

Processor time, because a job may be stopped for a while: its wall clock would then tell nothing.
"""

from __future__ import annotations

import sys
import time

_EVERY_S = 20.0
_PACE_S = 120.0


class Progress:
    """Prints a line now and then while work is done; `unit` names what is counted."""

    def __init__(self, what: str, total: float, unit: str, done: float = 0.0) -> None:
        self._what, self._total, self._unit = what, total, unit
        self._done = done
        # Where the pace is measured from: it moves on, because work may be quick at first (what is there already).
        self._mark = (time.process_time(), done)
        self._said_s = float("-inf")

    def add(self, amount: float, note: str = "") -> None:
        """Counts work done; says so if the last line is long ago."""
        self._done += amount
        if time.process_time() - self._said_s >= _EVERY_S:
            self.say(note)

    def say(self, note: str = "") -> None:
        """Prints a line now."""
        self._said_s = time.process_time()
        print(self.line(self._said_s, note), file=sys.stderr, flush=True)

    def line(self, now_s: float, note: str = "") -> str:
        """The line at a processor time."""
        text = f"{self._what}: {_count(self._done)} of {_count(self._total)} {self._unit}"
        since_s, before = self._mark
        spent_s, new = now_s - since_s, self._done - before
        if new > 0 and spent_s > 0:
            left_s = max(0.0, self._total - self._done) / new * spent_s
            text += f", {_duration(left_s)} of one core left"
        if spent_s > _PACE_S:
            self._mark = (now_s, self._done)
        return f"{text}; {note}" if note else text


def _count(number: float) -> str:
    return f"{number:.0f}" if number == int(number) else f"{number:.2f}"


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min"
