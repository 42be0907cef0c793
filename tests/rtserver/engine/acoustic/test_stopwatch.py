"""Times of a device whose calls return before their work is done, by a fake device."""

from __future__ import annotations

import pytest

from rtserver.engine.acoustic.stopwatch import DeviceStopwatch, HostStopwatch, Lap
from tests.rtserver.engine.acoustic.fake_device import FakeDevice


def lap(device: FakeDevice, watch: DeviceStopwatch, seconds: float, laps: list[Lap]) -> None:
    """So much work."""
    watch.begin()
    device.work(seconds)
    watch.end(laps.append)


def test_a_lap_is_as_long_as_the_device_works() -> None:
    """Not as long as the call, which takes a millisecond."""
    device, laps = FakeDevice(), list[Lap]()
    watch = DeviceStopwatch(device.event, device.clock)
    lap(device, watch, 0.2, laps)
    assert laps == [] and device.now_s == pytest.approx(100.001)
    watch.settle()
    (only,) = laps
    assert only.start_s == 100.0 and only.end_s == pytest.approx(100.2) and device.now_s == pytest.approx(100.2)


def test_collecting_does_not_wait() -> None:
    """A lap is handed out when the device is over it, and only once."""
    device, laps = FakeDevice(), list[Lap]()
    watch = DeviceStopwatch(device.event, device.clock)
    lap(device, watch, 0.05, laps)
    watch.collect()
    assert (laps, device.waits) == ([], 0)
    device.now_s += 1.0
    watch.collect()
    watch.collect()
    assert len(laps) == 1 and device.waits == 0 and laps[0].spent_s == pytest.approx(0.05)


def test_laps_that_queue_follow_each_other() -> None:
    """The second begins when the first ends, although it was called long before. Both are handed out in order."""
    device, laps = FakeDevice(), list[Lap]()
    watch = DeviceStopwatch(device.event, device.clock)
    lap(device, watch, 0.05, laps)
    lap(device, watch, 0.03, laps)
    watch.settle()
    times_s = [second for one in laps for second in (one.start_s, one.end_s)]
    assert times_s == pytest.approx([100.0, 100.05, 100.05, 100.08])


def test_the_time_before_work_is_called_does_not_count() -> None:
    """A device without work is not busy."""
    device, laps = FakeDevice(), list[Lap]()
    watch = DeviceStopwatch(device.event, device.clock)
    lap(device, watch, 0.05, laps)
    device.now_s += 10.0
    lap(device, watch, 0.03, laps)
    watch.settle()
    assert laps[1].start_s == pytest.approx(110.001) and laps[1].spent_s == pytest.approx(0.03)


def test_the_host_runs_two_laps_ahead_at_most() -> None:
    """The third lap begins when the first is over, so that decisions know of it."""
    device, laps = FakeDevice(), list[Lap]()
    watch = DeviceStopwatch(device.event, device.clock)
    for _ in range(2):
        lap(device, watch, 0.1, laps)
    assert device.waits == 0
    watch.begin()
    assert (device.waits, len(laps)) == (1, 1) and device.now_s == pytest.approx(100.1)


def test_on_a_cpu_a_lap_is_over_when_its_call_returns() -> None:
    """It is handed out at once."""
    now_s, laps = 5.0, list[Lap]()
    watch = HostStopwatch(lambda: now_s)
    watch.begin()
    now_s = 5.25
    watch.end(laps.append)
    assert laps == [Lap(5.0, 5.25)]
    watch.collect()
    watch.settle()
    assert len(laps) == 1
