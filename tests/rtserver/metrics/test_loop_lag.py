"""How late the event loop is, by a clock that the test moves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtserver.metrics import loop_lag
from rtserver.metrics.loop_lag import LoopLag
from tests.rtserver.serving import eventually


def lag_after(late_s: Iterable[float], moments_s: list[float] | None = None) -> LoopLag:
    """What is known after wakings that were so late, one behind the other; notes when they were."""
    now_s = 100.0
    wakings = iter(late_s)
    lag = LoopLag()

    async def sleep(seconds: float) -> None:
        nonlocal now_s
        try:
            now_s += seconds + next(wakings)
        except StopIteration:
            raise asyncio.CancelledError from None
        if moments_s is not None:
            moments_s.append(now_s)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop_lag, "time", SimpleNamespace(monotonic=lambda: now_s))
        patch.setattr(loop_lag, "asyncio", SimpleNamespace(sleep=sleep))
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(lag.run())
    return lag


def test_before_the_first_waking_nothing_is_late() -> None:
    """A server that just started has no lag."""
    assert LoopLag().worst_ms == 0.0
    assert lag_after([]).worst_ms == 0.0


def test_the_worst_is_told_in_milliseconds() -> None:
    """The largest delay counts, wherever it was in the row."""
    for late_s in ([0.25, 0.0, 0.125], [0.0, 0.25, 0.125], [0.125, 0.0, 0.25]):
        assert lag_after(late_s).worst_ms == pytest.approx(250.0)


def test_waking_early_is_not_late() -> None:
    """A timer that fires a little before its time is no negative lag."""
    assert lag_after([-0.001, -0.002]).worst_ms == 0.0


def test_what_is_older_than_a_minute_is_forgotten() -> None:
    """A bad moment counts for a minute; after that the next worst one does."""
    quiet = int(59.0 / 0.02)
    assert lag_after([0.5, *[0.0] * (quiet // 2), 0.25, *[0.0] * (quiet // 2)]).worst_ms == pytest.approx(500.0)
    assert lag_after([0.5, *[0.0] * (quiet // 2), 0.25, *[0.0] * quiet]).worst_ms == pytest.approx(250.0)
    assert lag_after([0.5, *[0.001] * (quiet + 100)]).worst_ms == pytest.approx(1.0, abs=1e-6)


@given(st.lists(st.floats(0, 20), max_size=60))
def test_the_worst_is_that_of_the_last_minute(late_s: list[float]) -> None:
    """Whatever the delays were, the largest of the last minute is told."""
    moments_s: list[float] = []
    lag = lag_after(late_s, moments_s)
    in_time = [late for late, at_s in zip(late_s, moments_s) if at_s >= moments_s[-1] - 60.0]
    assert lag.worst_ms == pytest.approx(1000 * max(in_time, default=0.0), abs=1e-6)


def test_before_the_first_waking_there_is_no_percentile() -> None:
    """As with the worst."""
    assert LoopLag().percentile_ms(99) == 0.0


def test_percentiles_are_delays_that_were_measured() -> None:
    """Nearest rank: of a hundred wakings, the one that so many were not later than."""
    lag = lag_after([number / 1000 for number in range(100, 0, -1)])
    assert lag.percentile_ms(0) == pytest.approx(1.0)
    for percent in (1, 50, 99, 100):
        assert lag.percentile_ms(percent) == pytest.approx(percent)
    assert lag.percentile_ms(98.5) == pytest.approx(99.0)
    assert lag.worst_ms == pytest.approx(100.0)


def test_percentiles_are_those_of_the_last_minute() -> None:
    """A bad time before it counts no more."""
    lag = lag_after([0.5] * 100 + [0.004] * int(61 / 0.02))
    assert lag.percentile_ms(100) == pytest.approx(4.0)


def test_a_blocked_loop_is_noticed() -> None:
    """On a real loop, a call that does not return in time shows; a cancelled task ends."""

    async def scenario() -> float:
        lag = LoopLag()
        task = asyncio.create_task(lag.run())
        asyncio.get_running_loop().call_soon(time.sleep, 0.1)
        await eventually(lambda: lag.worst_ms > 0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        return lag.worst_ms

    assert asyncio.run(scenario()) >= 79.0
