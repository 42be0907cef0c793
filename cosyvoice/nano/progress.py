"""Progress of long work: what is done, and the time the rest will take, judged by processor time spent.

Processor time, because a job may be stopped for a while: its wall clock would then tell nothing.
"""

from __future__ import annotations

import sys
import time

_EVERY_S = 20.0


class Progress:
    """Prints a line now and then while work is done; `unit` names what is counted."""

    def __init__(self, what: str, total: float, unit: str, done: float = 0.0) -> None:
        self._what, self._total, self._unit = what, total, unit
        self._done = self._first = done
        self._start_s = time.process_time()
        self._said_s = float("-inf")

    def add(self, amount: float, note: str = "") -> None:
        """Counts work done; says so if the last line is long ago."""
        self._done += amount
        if time.process_time() - self._said_s >= _EVERY_S:
            self.say(note)

    def say(self, note: str = "") -> None:
        """Prints a line now."""
        self._said_s = time.process_time()
        print(self.line(self._said_s - self._start_s, note), file=sys.stderr, flush=True)

    def line(self, spent_s: float, note: str = "") -> str:
        """The line after so many seconds of processor time."""
        text = f"{self._what}: {self._done:.4g} of {self._total:.4g} {self._unit}"
        new = self._done - self._first
        if new > 0 and spent_s > 0:
            left_s = max(0.0, self._total - self._done) / new * spent_s
            text += f", {_duration(left_s)} of one core left"
        return f"{text}; {note}" if note else text


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min"
