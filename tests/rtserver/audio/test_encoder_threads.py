"""Threads that encode: some do not return."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from rtserver.audio.encoder_threads import EncoderThreads, EncodingLate
from tests.rtserver.serving import eventually

LONG_S = 60.0


@asynccontextmanager
async def stuck_encoders(threads: EncoderThreads, count: int) -> AsyncIterator[threading.Event]:
    """So many encoders that do not return in time, until the block ends."""
    released = threading.Event()
    try:
        while threads.stuck < count:  # on a busy machine a thread may not begin in time: then it is not stuck
            with pytest.raises(EncodingLate, match=r"within 0\.01 s"):
                await threads.do(released.wait, 0.01)
        yield released
    finally:
        released.set()


@pytest.mark.engine
def test_a_stuck_thread_is_replaced() -> None:
    """More encoders than there are threads do not return: the next sound is encoded. When they return, their threads
    end."""

    async def scenario() -> None:
        threads = EncoderThreads("some", 2)
        async with stuck_encoders(threads, 5):
            assert threads.stuck == 5 and await threads.do(lambda: "sound", LONG_S) == "sound"
        await eventually(lambda: threads.stuck == 0)
        assert await threads.do(threading.active_count, LONG_S) <= before + 3  # one may be about to end

    before = threading.active_count()
    asyncio.run(scenario())


@pytest.mark.engine
def test_stuck_threads_are_bounded() -> None:
    """When so many are stuck, sound is refused at once, and no thread is started. When one returns, it is encoded."""

    async def scenario() -> None:
        threads = EncoderThreads("some", 2, most_stuck=3)
        async with stuck_encoders(threads, 3) as released:
            count = threading.active_count()
            for _ in range(50):
                with pytest.raises(EncodingLate, match="found 3 that do not"):
                    await threads.do(lambda: "sound", LONG_S)
            assert threading.active_count() == count
            released.set()
            await eventually(lambda: threads.stuck == 0)
            assert await threads.do(lambda: "sound", LONG_S) == "sound"

    asyncio.run(scenario())


@pytest.mark.engine
def test_work_whose_waiter_left_is_watched_too() -> None:
    """A client that hangs up while its encoder is stuck: the thread is replaced all the same."""

    async def scenario() -> None:
        threads, released, begun = EncoderThreads("some", 1), threading.Event(), threading.Event()

        def work() -> None:
            begun.set()
            released.wait()

        waiting = asyncio.create_task(threads.do(work, 1.0))
        await asyncio.to_thread(begun.wait)
        waiting.cancel()
        try:
            assert await threads.do(lambda: "sound", LONG_S) == "sound"
            assert threads.stuck == 1
        finally:
            released.set()

    asyncio.run(scenario())


def test_an_error_of_an_encoder_is_raised() -> None:
    """To the one who waits for it; the thread goes on."""

    async def scenario() -> None:
        threads = EncoderThreads("some", 1)
        with pytest.raises(ZeroDivisionError):
            await threads.do(lambda: 1 / 0, LONG_S)
        assert await threads.do(lambda: "sound", LONG_S) == "sound"

    asyncio.run(scenario())


@pytest.mark.command
def test_a_stuck_thread_does_not_keep_the_process() -> None:
    """The process ends although an encoder has not returned."""
    code = """
import asyncio, threading
from rtserver.audio.encoder_threads import EncoderThreads
async def main():
    asyncio.create_task(EncoderThreads("some", 1).do(threading.Event().wait, 60))
    await asyncio.sleep(0.1)
asyncio.run(main())
print("over")
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout == "over\n"
