"""Threads that encode sound. A frame that a listener waits for has threads of its own. Whole files are encoded in the
event loop's threads: however many of them there are, no frame waits for one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

# A frame takes milliseconds, and a second of a file too. On a machine that is much too busy it is still done in this
# time; an encoder that needs more hangs.
FRAME_S = 20.0
_FILE_S_PER_S = 1.0

_POOL = ThreadPoolExecutor(max(2, os.cpu_count() or 2), "frames")


class EncodingLate(RuntimeError):
    """Sound was not encoded in time. Its thread is lost until the encoder returns."""


async def in_frame_thread(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Does the work on a frame. Raises EncodingLate."""
    done = asyncio.get_running_loop().run_in_executor(_POOL, lambda: work(*args, **kwargs))
    return await _in_time(done, FRAME_S)


async def in_file_thread(audio_s: float, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Does the work on a whole file with so many seconds of sound. Raises EncodingLate."""
    return await _in_time(asyncio.to_thread(work, *args, **kwargs), FRAME_S + _FILE_S_PER_S * audio_s)


async def _in_time(done: Awaitable[R], limit_s: float) -> R:
    try:
        async with asyncio.timeout(limit_s):
            return await done
    except TimeoutError:
        raise EncodingLate(f"expected encoded sound within {limit_s:g} s, found none") from None
