"""How long the device works. On a GPU a call returns before its work is done, so the host's clock cannot tell.

`Stopwatch` is what turns and calibration use. On a CPU it reads the clock. On a GPU it puts events before and after the
work, and reads them when they are over: it does not make the host wait.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Lap:
    """A piece of work on the device, by the host's clock."""

    start_s: float
    end_s: float

    @property
    def spent_s(self) -> float:
        return self.end_s - self.start_s


OnLap = Callable[[Lap], None]


class Stopwatch(Protocol):
    """Laps follow each other: `begin`, the calls that start the work, `end`."""

    def begin(self) -> None:
        """Work begins."""

    def end(self, on_lap: OnLap) -> None:
        """The work's calls have returned. `on_lap` gets the lap now, or in a later call when the work is over. Laps are
        handed out in their order."""

    def collect(self) -> None:
        """Hands out the laps that are over. Does not wait."""

    def settle(self) -> None:
        """Waits until all work is over, and hands out its laps."""


class HostStopwatch:
    """For a CPU: when a call returns, its work is done."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._start_s = 0.0

    def begin(self) -> None:
        self._start_s = self._clock()

    def end(self, on_lap: OnLap) -> None:
        on_lap(Lap(self._start_s, self._clock()))

    def collect(self) -> None:
        return

    def settle(self) -> None:
        return


class DeviceEvent(Protocol):
    """A mark in the device's queue, as torch.cuda.Event with timing."""

    def record(self) -> None:
        """Puts the mark behind all work so far."""

    def query(self) -> bool:
        """Whether the device has come to it."""

    def synchronize(self) -> None:
        """Waits until the device has come to it."""

    def elapsed_time(self, end_event: Any, /) -> float:
        """Milliseconds from this mark to `end_event`, another of its kind. The device must have come to both."""


@dataclass(frozen=True)
class _Pending:
    begun: DeviceEvent
    ended: DeviceEvent
    # When the work's first call was made.
    called_s: float
    on_lap: OnLap


class DeviceStopwatch:
    """For a device that works through a queue.

    A lap's length is what the device says. On the host's clock it begins with its first call, or at the end of the lap
    before if the device was still busy with that. With `most_pending` laps in the queue, `begin` waits for the oldest:
    what is decided next should know what is done.
    """

    def __init__(
        self,
        make_event: Callable[[], DeviceEvent],
        clock: Callable[[], float] = time.monotonic,
        *,
        most_pending: int = 2,
    ) -> None:
        self._make_event = make_event
        self._clock = clock
        self._most_pending = most_pending
        self._pending: deque[_Pending] = deque()
        self._begun: tuple[DeviceEvent, float] | None = None
        self._last_end_s = float("-inf")

    def begin(self) -> None:
        self.collect()
        while len(self._pending) >= self._most_pending:
            self._hand_out(self._pending.popleft())
        self._begun = self._mark(), self._clock()

    def end(self, on_lap: OnLap) -> None:
        assert self._begun is not None, "end: expected begin before it"
        begun, called_s = self._begun
        self._begun = None
        self._pending.append(_Pending(begun, self._mark(), called_s, on_lap))

    def collect(self) -> None:
        while self._pending and self._pending[0].ended.query():
            self._hand_out(self._pending.popleft())

    def settle(self) -> None:
        while self._pending:
            self._hand_out(self._pending.popleft())

    def _mark(self) -> DeviceEvent:
        event = self._make_event()
        event.record()
        return event

    def _hand_out(self, lap: _Pending) -> None:
        lap.ended.synchronize()
        start_s = max(lap.called_s, self._last_end_s)
        self._last_end_s = start_s + lap.begun.elapsed_time(lap.ended) / 1000
        lap.on_lap(Lap(start_s, self._last_end_s))
