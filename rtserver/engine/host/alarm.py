"""One call of a function at a time that may change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Alarm:
    """Calls `ring` at the time that was set last. It remembers the time itself: uvloop's handle of a time that is past
    does not know it."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._at_s: float | None = None
        self._handle: asyncio.Handle | None = None

    def set(self, at_s: float | None) -> None:
        """From now on it rings at this time of the event loop; None: not at all."""
        if at_s == self._at_s:
            return
        if self._handle is not None:
            self._handle.cancel()
        self._at_s = at_s
        self._handle = None if at_s is None else asyncio.get_running_loop().call_at(at_s, self._rings)

    def _rings(self) -> None:
        self._at_s = self._handle = None
        self._ring()
