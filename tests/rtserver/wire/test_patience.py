"""Many waits with one timer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from rtserver.wire.patience import Patience
from tests.virtual_time import run_in_virtual_time

Wait = Callable[[Patience], Awaitable[None]]


def impatient(wait: Wait, bound_s: float = 0.05) -> float:
    """How long it took until the patience was over; TimeoutError is what ends it."""

    async def scenario() -> float:
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(10), Patience(bound_s) as patience:
                await wait(patience)
        return loop.time() - begun_s

    return run_in_virtual_time(scenario())


def test_a_wait_without_an_end_is_cut() -> None:
    """It ends when its time is up, and not before."""

    async def wait(patience: Patience) -> None:
        patience.begin()
        await asyncio.Event().wait()

    assert 0.05 <= impatient(wait) < 5


def test_each_wait_has_the_whole_time() -> None:
    """One that begins shortly before the time of an earlier one was up is not cut with it."""

    async def wait(patience: Patience) -> None:
        patience.begin()
        await asyncio.sleep(0.06)
        patience.end()
        await asyncio.sleep(0.02)
        patience.begin()
        await asyncio.Event().wait()

    assert 0.18 <= impatient(wait, 0.1) < 5


def test_waits_that_end_cut_nothing() -> None:
    """However many there are, and however long nothing waits after them."""

    async def scenario() -> int:
        ended = 0
        async with Patience(0.05) as patience:
            for _ in range(20):
                patience.begin()
                await asyncio.sleep(0.005)
                patience.end()
                ended += 1
            await asyncio.sleep(0.15)
            patience.begin()
            await asyncio.sleep(0.005)
            patience.end()
        return ended

    assert run_in_virtual_time(scenario()) == 20


def test_nothing_is_left_behind() -> None:
    """After the block no timer fires, also when it was left in the midst of a wait."""

    async def scenario() -> None:
        async with Patience(0.02) as patience:
            patience.begin()
        await asyncio.sleep(0.06)

    run_in_virtual_time(scenario())


def test_a_cancel_from_elsewhere_stays_one() -> None:
    """It is no timeout."""

    async def scenario() -> None:
        async def wait() -> None:
            async with Patience(5.0) as patience:
                patience.begin()
                await asyncio.Event().wait()

        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    run_in_virtual_time(scenario())
