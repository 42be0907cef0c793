"""Python runs this file at the start of each process whose PYTHONPATH has this folder. In `rtserver serve` it records
how late the event loop is.

A timer of the loop wakes every 10 ms. Each time it adds a line to the file LAG_RECORDER_FILE: the time of the machine's
monotonic clock, and by how many milliseconds the timer was late. A line is written after at most half a second.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time

INTERVAL_S = 0.01
_FLUSH_S = 0.5


class Recorder:
    """Records one loop from its first turn on."""

    def __init__(self, loop: asyncio.AbstractEventLoop, path: str) -> None:
        self._loop = loop
        self._path = path
        self._lines: list[str] = []
        self._due_s = time.monotonic()
        self._flush_at_s = self._due_s + _FLUSH_S
        loop.call_soon(self._wake)

    def _wake(self) -> None:
        now_s = time.monotonic()
        self._lines.append(f"{now_s:.4f} {1000 * max(0.0, now_s - self._due_s):.2f}\n")
        if now_s >= self._flush_at_s:
            with open(self._path, "a") as file:
                file.writelines(self._lines)
            self._lines.clear()
            self._flush_at_s = now_s + _FLUSH_S
        self._due_s = time.monotonic() + INTERVAL_S
        self._loop.call_later(INTERVAL_S, self._wake)


if sys.orig_argv[1:4] == ["-m", "rtserver", "serve"]:
    import uvloop

    _make = uvloop.new_event_loop

    def _recorded() -> uvloop.Loop:
        loop = _make()
        Recorder(loop, os.environ["LAG_RECORDER_FILE"])
        return loop

    uvloop.new_event_loop = _recorded
