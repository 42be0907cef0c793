"""A call at a time that changes, on either event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import uvloop

from rtserver.engine.host.alarm import Alarm


async def some_turns() -> None:
    """Of the event loop."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_it_rings_once_at_the_time_that_was_set_last(run: Callable[[Any], Any]) -> None:
    """A time that is past may be set again and changed; what was set before does not ring."""
    rung: list[float] = []

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        alarm = Alarm(lambda: rung.append(loop.time()))
        begun_s = loop.time()
        for at_s in (begun_s + 60, begun_s - 1, begun_s - 1, begun_s - 2):
            alarm.set(at_s)
        await some_turns()
        assert len(rung) == 1
        alarm.set(begun_s - 1)
        alarm.set(None)
        await some_turns()
        assert len(rung) == 1
        alarm.set(begun_s - 2)
        await some_turns()
        assert len(rung) == 2

    run(scenario())
