"""How fast one socket is read."""

from __future__ import annotations

import asyncio

import pytest

from rtserver.front.account import Account
from rtserver.session.caller import Caller
from rtserver.wire.intake import APART_S, BURST_S, Intake, RateLimited
from tests.rtserver.front.backends import accounts_of

PER_S = 10
BURST = int(BURST_S * PER_S)


class Reading:
    """A socket that is read in a time of its own, and what it waited."""

    def __init__(self, account: Account | None = None, patience_s: float = 5.0) -> None:
        self.now_s = 0.0
        self.waits_s: list[float] = []
        account = account or accounts_of().of(Caller("ann"))
        self._intake = Intake(account, PER_S, patience_s, lambda: self.now_s, self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.waits_s.append(seconds)
        self.now_s += seconds

    def take(self, messages: int, size_bytes: int = 10) -> None:
        async def taken() -> None:
            for _ in range(messages):
                await self._intake.take(size_bytes)

        asyncio.run(taken())


def test_others_have_their_turn() -> None:
    """In a burst the loop is left once before each message but the first. Messages that come apart wait for nothing."""
    reading = Reading()
    for _ in range(3):
        reading.take(1)
        reading.now_s += 2 * APART_S
    assert reading.waits_s == []
    reading.take(4)
    assert reading.waits_s == [0, 0, 0]


def test_who_sends_too_much_is_read_slowly() -> None:
    """At the rate of the budget."""
    reading = Reading()
    reading.take(BURST + 20)
    assert reading.now_s == pytest.approx(2.0)


def test_who_goes_on_is_closed() -> None:
    """After `patience_s` of it. Who stops in time is not."""
    reading = Reading()
    reading.take(BURST + 40)
    reading.now_s += 1.0
    reading.take(45)
    with pytest.raises(RateLimited):
        reading.take(20)
    assert 9.0 < reading.now_s < 11.0


def test_large_messages_count_as_several() -> None:
    """Two megabytes are 129 of them."""
    reading = Reading()
    reading.take(1, 2 << 20)
    assert reading.now_s == pytest.approx(2.9)


def test_a_caller_that_sends_too_much_is_read_slowly_on_all_its_sockets() -> None:
    """But only the sockets that send too much themselves are closed."""
    account = accounts_of(caller_messages_per_s=1).of(Caller("ann"))
    account.hold("sockets")
    assert account.count_messages(4, 0.0) == 0.0
    quiet = Reading(account)
    quiet.take(20)
    assert quiet.now_s == pytest.approx(20.0)
