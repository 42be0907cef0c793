"""A device that works through a queue, in simulated time."""

from __future__ import annotations

from dataclasses import dataclass


class FakeDevice:
    """The host's clock moves only when the host calls something, or waits."""

    CALL_S = 0.001

    def __init__(self) -> None:
        self.now_s = 100.0
        self.waits = 0
        self._busy_until_s = 0.0

    def clock(self) -> float:
        """The host's."""
        return self.now_s

    def work(self, seconds: float) -> None:
        """Puts work into the queue. The call itself returns at once."""
        self._busy_until_s = max(self._busy_until_s, self.now_s) + seconds
        self.now_s += self.CALL_S

    def event(self) -> FakeEvent:
        """As torch.cuda.Event."""
        return FakeEvent(self)

    def reached_s(self) -> float:
        """When a mark that is put into the queue now is reached."""
        return max(self._busy_until_s, self.now_s)


@dataclass
class FakeEvent:
    """A mark in the queue of a FakeDevice."""

    device: FakeDevice
    at_s: float = float("nan")

    def record(self) -> None:
        self.at_s = self.device.reached_s()

    def query(self) -> bool:
        return self.device.now_s >= self.at_s

    def synchronize(self) -> None:
        if not self.query():
            self.device.waits += 1
            self.device.now_s = self.at_s

    def elapsed_time(self, end_event: object, /) -> float:
        assert isinstance(end_event, FakeEvent) and end_event.query(), "torch raises before the end is reached"
        return 1000 * (end_event.at_s - self.at_s)
