"""An event loop for tests whose time passes only by waiting: long waits take no time, and no load makes a timer late.

It is for coroutines that wait for nothing but each other and timers. Time is skipped as soon as all of them wait, also
when one waits for a thread or for a socket.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar


class _Skipping(selectors.DefaultSelector):
    """Does not wait for the next timer. It moves the time there."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(timeout if timeout is None else 0)
        if not found and timeout:
            self.now_s += timeout
        return found


class _VirtualTimeLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        return self._skipping.now_s


T = TypeVar("T")


def run_in_virtual_time(main: Coroutine[Any, Any, T]) -> T:
    """As asyncio.run. `loop.time()` begins at 0."""
    with asyncio.Runner(loop_factory=_VirtualTimeLoop) as runner:
        return runner.run(main)
