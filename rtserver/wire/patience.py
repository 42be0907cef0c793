"""How long a socket waits for a client that does not take what is sent."""

from __future__ import annotations

import asyncio
from types import TracebackType


class Patience:
    """Bounds each of many waits: the block gets a TimeoutError when `end` does not follow `begin` within `bound_s`.
    There is one timer for all waits; when it fires, it looks whether the present wait is too long. A timer for each
    wait would cost as much as sending a frame does."""

    def __init__(self, bound_s: float) -> None:
        self._bound_s = bound_s
        self._timeout = asyncio.timeout(None)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._begun_s: float | None = None

    def begin(self) -> None:
        self._begun_s = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(self._bound_s, self._look)

    def end(self) -> None:
        self._begun_s = None

    async def __aenter__(self) -> Patience:
        await self._timeout.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        try:
            await self._timeout.__aexit__(kind, error, trace)  # raises TimeoutError in place of the cancellation
        finally:
            # It refers to the task, the task to its error, and the error to the frame that holds this object.
            del self._timeout

    def _look(self) -> None:
        self._timer = None
        if self._begun_s is None:
            return
        now_s = self._loop.time()
        left_s = self._begun_s + self._bound_s - now_s
        if left_s > 0:
            self._timer = self._loop.call_later(left_s, self._look)
        else:
            self._timeout.reschedule(now_s)
