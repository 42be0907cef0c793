"""Decoder processes for a test, on either event loop. Nothing may be left after them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path

import psutil
import pytest
import uvloop

from rtserver.processes.program import Program
from rtserver.uploads.errors import UploadError
from rtserver.uploads.jobs import DecodedWave
from rtserver.uploads.worker import PROGRAM, DecodeWorkers
from tests.rtserver.processes.programs import open_files
from tests.rtserver.serving import eventually

NewLoop = Callable[[], asyncio.AbstractEventLoop]

# The server runs on uvloop's.
LOOPS = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
SOUND = b"sound 16000"  # what the hostile decoder makes a second of


def run(scenario: Coroutine[None, None, None], loop: NewLoop = asyncio.new_event_loop) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(scenario)


@contextlib.asynccontextmanager
async def pool(
    program: Program = PROGRAM, *, workers: int = 1, waiting: int = 16, limit_s: float = 60.0
) -> AsyncIterator[DecodeWorkers]:
    """Workers. Fails if a process or a descriptor is left when they are closed."""
    # A loop keeps some descriptors that it opens for its first process and pipe.
    first = await asyncio.create_subprocess_exec("true", stdout=asyncio.subprocess.PIPE)
    await first.communicate()
    files, children = open_files(), _children()
    pool = DecodeWorkers(workers=workers, waiting=waiting, limit_s=limit_s, program=program)
    try:
        yield pool
    finally:
        await asyncio.wait_for(pool.close(), 30)
    assert pool.pids == []
    assert _children() == children
    await eventually(lambda: open_files() == files)


async def refused(decoding: Awaitable[object]) -> UploadError:
    """The reason for which an upload is refused."""
    with pytest.raises(UploadError) as refusal:
        await asyncio.wait_for(decoding, 60)
    return refusal.value


async def at_work(pool: DecodeWorkers, mark: Path) -> asyncio.Task[DecodedWave]:
    """An upload that now hangs in a hostile decoder."""
    task = asyncio.create_task(pool.decode(f"hang {mark}".encode(), 10.0))
    await eventually(mark.exists, 60.0)
    return task


def _children() -> set[int]:
    """The child processes of this one. A dead process that was not waited for counts."""
    return {child.pid for child in psutil.Process().children()}
