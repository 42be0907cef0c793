"""Whether a process hangs. Pure: the caller brings the pulses and looks at the process.

The rule. A process that waits for messages, or that takes a new turn between two questions, is well. Any other one
hangs if for `quiet_s` nothing of it worked: no answer or no new turn, no processor time, and no thread that runs or
waits for a processor or for a disk. So slow work is no hang, on a busy machine neither. Work that never ends uses
processor time without end; it hangs after `turn_cpu_s` of that.

Time is counted in questions, not by a clock: while the whole server is stopped, or the machine sleeps, nobody asks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rtserver.ipc.process import Pulse
from rtserver.processes.vitals import Vitals

_START_S, _START_S_PER_GIB = 120.0, 60.0


@dataclass(frozen=True)
class WatchLimits:
    """How long a process may take."""

    # Between two questions.
    interval_s: float = 0.5
    # Without any sign of work. With the interval, a hang is noticed within 4.5 s.
    quiet_s: float = 3.5
    # Processor time of the working thread between two looks for messages. The longest pieces of work (30 s of a
    # recording prepared, one step of the flow for many streams) take a few seconds.
    turn_cpu_s: float = 60.0
    # From the start, or the last Progress, to the first look for messages.
    start_s: float = _START_S

    @classmethod
    def of_model(cls, model: Path) -> WatchLimits:
        """The limits of a process that loads the model: it may start for longer if there is more to read."""
        size_bytes = sum(path.stat().st_size for path in model.rglob("*") if path.is_file())
        return cls(start_s=_START_S + _START_S_PER_GIB * size_bytes / (1 << 30))


DEFAULT_LIMITS = WatchLimits()


class Watch:
    """Watches one process."""

    def __init__(self, limits: WatchLimits) -> None:
        # The number of the next question.
        self.number = 0
        self._limits = limits
        self._pulse: Pulse | None = None
        # Turn of the working thread when it was looked at last.
        self._turn = 0
        # Of the turn that the process is in: the first look and the latest. None: it is well.
        self._first: Vitals | None = None
        self._last: Vitals | None = None
        # Questions without any sign of work, and questions since the start or the last Progress.
        self._quiet = 0
        self._starting = 0

    def take(self, pulse: Pulse) -> None:
        """The process has answered."""
        self._pulse = pulse

    def progress(self) -> None:
        """A process that starts has told how far it is."""
        self._starting = 0

    def check(self, look: Callable[[], Vitals | None]) -> str | None:
        """Call it once in every interval, before the next question. Returns why the process is taken to hang; None if
        it is not."""
        pulse, self.number = self._pulse, self.number + 1
        loads = pulse is None or pulse.turn == 0
        self._starting += loads
        if loads and self._starting * self._limits.interval_s > self._limits.start_s:
            return f"it did not start, and told no progress for {self._limits.start_s:.0f} s"
        answered = pulse is not None and pulse.number == self.number - 1
        if pulse is not None and answered and not loads and (pulse.waits or pulse.turn != self._turn):
            self._turn = pulse.turn
            self._first = self._last = None
            self._quiet = 0
            return None
        return self._judge(look(), loads)

    def _judge(self, vitals: Vitals | None, loads: bool) -> str | None:
        if vitals is None:
            return None
        last, self._last = self._last, vitals
        self._first = self._first or vitals
        worked = last is not None and (vitals.works or vitals.cpu_s != last.cpu_s)
        # A process that starts may wait for what it starts.
        well = (worked or loads) and not vitals.stopped
        self._quiet = 0 if well else self._quiet + 1
        if self._quiet * self._limits.interval_s >= self._limits.quiet_s:
            how = "it was stopped by a signal" if vitals.stopped else "nothing of it worked"
            return f"{how} for {self._limits.quiet_s:g} s{self._at_work}"
        spent_s = vitals.main_cpu_s - self._first.main_cpu_s
        if not loads and spent_s > self._limits.turn_cpu_s:
            return f"one piece of work took more than {self._limits.turn_cpu_s:g} s of processor time{self._at_work}"
        return None

    @property
    def _at_work(self) -> str:
        """What it worked on, as the end of a sentence."""
        return f", at work on {self._pulse.work}" if self._pulse is not None and self._pulse.work else ""
