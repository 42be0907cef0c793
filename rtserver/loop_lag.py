"""How late the event loop is: what every client of the front would feel if something blocked it."""

from __future__ import annotations

import asyncio
import time
from collections import deque

_INTERVAL_S = 0.02
_WINDOW_S = 60.0


class LoopLag:
    """Sleeps and notes by how much it woke late. `run` is a task of the server's."""

    def __init__(self) -> None:
        self._late: deque[tuple[float, float]] = deque()  # when, by how much; falling values only

    async def run(self) -> None:
        while True:
            due_s = time.monotonic() + _INTERVAL_S
            await asyncio.sleep(_INTERVAL_S)
            now_s = time.monotonic()
            late_s = max(0.0, now_s - due_s)
            while self._late and self._late[-1][1] <= late_s:
                self._late.pop()
            self._late.append((now_s, late_s))
            while self._late[0][0] < now_s - _WINDOW_S:
                self._late.popleft()

    @property
    def worst_ms(self) -> float:
        """The worst of the last minute."""
        return self._late[0][1] * 1000 if self._late else 0.0
