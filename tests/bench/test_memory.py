"""Memory over time."""

from __future__ import annotations

import asyncio
import contextlib
import os

import pytest

from bench.load.calls.memory import Memory, resident_mib, slope
from bench.load.server_process import ServerProcess


def test_slope_of_a_line() -> None:
    """Exact for points of a line, the mean rise otherwise."""
    assert slope([0.0, 1.0, 3.0], [5.0, 7.0, 11.0]) == pytest.approx(2.0)
    assert slope([0.0, 1.0, 2.0, 3.0], [1.0, 0.0, 1.0, 0.0]) == pytest.approx(-0.2)


def test_growth_is_that_of_the_second_half() -> None:
    """What grows while it warms up and then stands still does not grow; 1 MiB a minute is 60 an hour."""
    memory = Memory()
    for minute in range(21):
        memory.add(minute * 60.0, {"front": 80.0 + min(minute, 10), "acoustic": 400.0 + minute})
    assert memory.growth_mib_per_hour() == pytest.approx({"front": 0.0, "acoustic": 60.0})


def test_a_process_may_come_and_go() -> None:
    """Samples without it are None, and its growth is that of the others."""
    memory = Memory()
    memory.add(0.0, {"front": 1.0})
    for at_s in (10.0, 20.0, 30.0, 40.0):
        memory.add(at_s, {"front": 1.0, "talker": at_s})
    memory.add(50.0, {"front": 1.0})
    assert memory.mib["talker"] == [None, 10.0, 20.0, 30.0, 40.0, None]
    assert "talker" not in memory.growth_mib_per_hour()  # two samples are left
    assert memory.growth_mib_per_hour()["front"] == 0.0


def test_nothing_grows_without_samples() -> None:
    """A server whose processes are not known."""
    assert Memory().growth_mib_per_hour() == {} and resident_mib(ServerProcess("http://127.0.0.1:1")) == {}


def test_resident_memory_of_a_process_that_runs() -> None:
    """This one has some tens of MiB."""
    assert 10 < resident_mib(ServerProcess("http://127.0.0.1:1", os.getpid()))["front"] < 10_000


def test_watching_samples_at_once() -> None:
    """The first sample is that of the beginning."""

    async def scenario() -> None:
        memory = Memory()
        watching = asyncio.create_task(memory.watch(ServerProcess("http://127.0.0.1:1", os.getpid()), 60.0))
        await asyncio.sleep(0)
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        assert memory.times_s == [0.0] and memory.mib["front"][0] is not None

    asyncio.run(scenario())
