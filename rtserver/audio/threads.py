"""Threads for sound that a listener waits for. Whole files are encoded in the event loop's own threads: however many of
them there are, no frame waits for one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_POOL = ThreadPoolExecutor(max(2, os.cpu_count() or 2), "frames")


async def in_frame_thread(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Does the work on a frame in one of these threads."""
    return await asyncio.get_running_loop().run_in_executor(_POOL, lambda: work(*args, **kwargs))
