"""How late the event loop is. Every client of the front feels it when something blocks the loop."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable

_INTERVAL_S = 0.02
_WINDOW_S = 60.0
# A shorter delay makes nobody run dry.
BLOCKED_S = 0.02


class LoopLag:
    """Sleeps again and again, and notes how late it woke. `run` is a task of the server. `on_blocked` is told of each
    long delay: from when to when."""

    def __init__(self, on_blocked: Callable[[float, float], None] = lambda from_s, to_s: None) -> None:
        self._on_blocked = on_blocked
        self._late: deque[tuple[float, float]] = deque()  # (when, by how much), all of the last minute
        self._worst: deque[tuple[float, float]] = deque()  # of these, each that no worse one has followed

    async def run(self) -> None:
        while True:
            due_s = time.monotonic() + _INTERVAL_S
            await asyncio.sleep(_INTERVAL_S)
            now_s = time.monotonic()
            late_s = max(0.0, now_s - due_s)
            if late_s > BLOCKED_S:
                self._on_blocked(due_s, now_s)
            while self._worst and self._worst[-1][1] <= late_s:
                self._worst.pop()
            for known in (self._late, self._worst):
                known.append((now_s, late_s))
                while known[0][0] < now_s - _WINDOW_S:
                    known.popleft()

    @property
    def worst_ms(self) -> float:
        """The worst of the last minute."""
        return self._worst[0][1] * 1000 if self._worst else 0.0

    def percentile_ms(self, percent: float) -> float:
        """The lag that this many percent of the last minute's wakings did not exceed (nearest rank)."""
        late_s = sorted(late for _, late in self._late)
        return late_s[max(0, math.ceil(len(late_s) * percent / 100) - 1)] * 1000 if late_s else 0.0
