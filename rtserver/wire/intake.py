"""How fast one socket is read: within its budget and its caller's, and never so long that others wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from rtserver.front.account import Account
from rtserver.front.message_budget import MessageBudget, messages_in

# A message that comes sooner after the last one of its socket waits until all other sockets, and all sound, have had
# their turn. Measured with eight sockets that send without a pause: a turn of the loop then takes 1.1 ms of processor
# time (median; p90 2.6). With 4 messages of a socket at a time it takes 3.2 ms (5.7), with 16 it takes 4.5 ms (8.7).
# Words of a language model come further apart, so they do not pay for a turn.
APART_S = 0.005
# How much a socket may send at once after silence: what its budget gives in this many seconds.
BURST_S = 10.0


class RateLimited(Exception):
    """A client goes on sending more than it may."""


class Intake:
    """One socket's. A client that sends more than `messages_per_s` is read slowly; if it goes on for `patience_s`, it
    is told so and closed. While its caller's other sockets send too much, it is only read slowly."""

    def __init__(
        self,
        account: Account,
        messages_per_s: int,
        patience_s: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._account = account
        self._budget = MessageBudget(messages_per_s, BURST_S * messages_per_s, clock())
        self._patience_s = patience_s
        self._clock = clock
        self._sleep = sleep
        self._slow_since_s: float | None = None
        self._handled_s = float("-inf")  # when the latest frame was let through

    async def take(self, size_bytes: int) -> None:
        """A frame of this size was read: waits until it may be handled. Raises RateLimited."""
        messages, now_s = messages_in(size_bytes), self._clock()
        own_s, all_s = self._budget.take(messages, now_s), self._account.count_messages(messages, now_s)
        if own_s == 0:
            self._slow_since_s = None
        elif self._slow_since_s is None:
            self._slow_since_s = now_s
        elif now_s - self._slow_since_s > self._patience_s:
            raise RateLimited
        wait_s = max(own_s, all_s)
        if wait_s > 0 or now_s - self._handled_s < APART_S:
            await self._sleep(wait_s)
            now_s = self._clock()
        self._handled_s = now_s
