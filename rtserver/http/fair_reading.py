"""What all connections have read is parsed piece by piece, in turn, so that nobody's bytes hold the loop.

One read has up to 256 KB, and the loop reads again and again from a connection that has more. Empty WebSocket
fragments, chunks of one byte and long heads cost up to 50 ms a read to parse: eight connections that sent them held the
loop for 0.6 s of processor time in one turn. A budget of messages does not help, because a part of a message is none.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

# Bytes that are parsed in one call: at most three milliseconds, most often a hundredth of one.
PIECE_BYTES = 8 << 10
# How long one turn of the loop parses pieces. At least one is parsed.
TURN_S = 0.001


class Reader(Protocol):
    """A connection that has read more than is parsed."""

    def parse_piece(self) -> None:
        """Parses the next piece. It is added again if more may follow."""


class FairReading:
    """The connections that wait for their turn."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop | None = None, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._loop = loop or asyncio.get_running_loop()
        self._clock = clock
        self._waiting: deque[Reader] = deque()
        self._is_due = False  # whether a turn is called soon

    @property
    def is_busy(self) -> bool:
        """Whether somebody waits, so that others must wait too."""
        return bool(self._waiting)

    def add(self, reader: Reader) -> None:
        """It gets a turn after those that wait already. It must not wait already."""
        self._waiting.append(reader)
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        until_s = self._clock() + TURN_S
        try:
            while self._waiting:
                self._waiting.popleft().parse_piece()
                if self._clock() >= until_s:
                    break
        finally:
            self._is_due = bool(self._waiting)
            if self._is_due:
                self._loop.call_soon(self._turn)
