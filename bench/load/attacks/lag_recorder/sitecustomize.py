"""Python runs this file at the start of each process whose PYTHONPATH has this folder. In `rtserver serve` it records
how late the event loop is.

A timer of the loop wakes every 10 ms. Each time it adds a line to the file LAG_RECORDER_FILE: the time of the machine's
monotonic clock, by how many milliseconds the timer was late, and how many milliseconds the loop's thread has waited for
a core since the last line. A line is written after at most half a second.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time

INTERVAL_S = 0.01
_FLUSH_S = 0.5


class Recorder:
    """Records one loop from its first turn on."""

    def __init__(self, loop: asyncio.AbstractEventLoop, path: str) -> None:
        self._loop = loop
        self._path = path
        self._lines: list[str] = []
        # Linux says here how many nanoseconds a thread ran, and how many it waited for a core.
        self._stat = os.open(f"/proc/self/task/{threading.get_native_id()}/schedstat", os.O_RDONLY)
        self._waited_ms = self._waiting_ms()
        self._due_s = time.monotonic()
        self._flush_at_s = self._due_s + _FLUSH_S
        loop.call_soon(self._wake)

    def _waiting_ms(self) -> float:
        return int(os.pread(self._stat, 100, 0).split()[1]) / 1e6

    def _wake(self) -> None:
        now_s, waited_ms = time.monotonic(), self._waiting_ms()
        late_ms = 1000 * max(0.0, now_s - self._due_s)
        self._lines.append(f"{now_s:.4f} {late_ms:.2f} {waited_ms - self._waited_ms:.2f}\n")
        self._waited_ms = waited_ms
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
