"""Accounts: what callers hold, within limits, and give back."""

from __future__ import annotations

import pytest

from rtserver.config import HoldingKind
from rtserver.front.account import Accounts, Exceeded, HoldLimit, MessageRate
from rtserver.session.caller import Caller

ANN, BEN = Caller("ann"), Caller("ben")
STRANGER = Caller(address="192.0.2.1", is_stranger=True)


def accounts(total: int = 6, caller: int = 4, stranger: int = 2) -> Accounts:
    limits: dict[HoldingKind, HoldLimit] = {
        "sockets": HoldLimit(total, caller, stranger),
        "text_chars": HoldLimit(1000, 1000, 100),
    }
    return Accounts(limits, MessageRate(caller=10, stranger=5))


def test_a_caller_holds_up_to_its_limit() -> None:
    """One more is refused, which says the limit, what is held and what to do; another caller is not refused."""
    made = accounts()
    for _ in range(4):
        made.of(ANN).hold("sockets")
    with pytest.raises(Exceeded) as refused:
        made.of(ANN).hold("sockets")
    assert str(refused.value) == (
        "expected at most 4 connections of one caller, and 4 are held: end some, or try again later"
    )
    error = refused.value.error
    assert error.code == "overloaded" and error.retryable and error.retry_after_ms
    made.of(BEN).hold("sockets")


def test_all_callers_together_have_a_limit() -> None:
    """Who has less than its own limit is refused too when the rest is held by others."""
    made = accounts()
    for caller in (ANN, BEN):
        for _ in range(3):
            made.of(caller).hold("sockets")
    with pytest.raises(Exceeded, match="at most 6 connections, and 6 are held"):
        made.of(ANN).hold("sockets")


def test_a_stranger_has_a_smaller_limit() -> None:
    """Each address has its own account."""
    made = accounts()
    for _ in range(2):
        made.of(STRANGER).hold("sockets")
    with pytest.raises(Exceeded, match="at most 2 connections of one address without a key"):
        made.of(STRANGER).hold("sockets")
    made.of(Caller(address="192.0.2.2", is_stranger=True)).hold("sockets")


def test_what_is_released_can_be_held_again() -> None:
    """Once, however often it is released; also by an end of the block, and by an error in it."""
    made = accounts(caller=1)
    holding = made.of(ANN).hold("sockets")
    holding.release()
    holding.release()
    assert made.held["sockets"] == 0
    with pytest.raises(ZeroDivisionError), made.of(ANN).hold("sockets"):
        1 / made.held["text_chars"]
    with made.of(ANN).hold("sockets"), pytest.raises(Exceeded):
        made.of(ANN).hold("sockets")
    assert made.held["sockets"] == 0


def test_a_holding_grows_and_shrinks() -> None:
    """A growth that is refused changes nothing. After the release nothing can be held with it."""
    made = accounts()
    text = made.of(STRANGER).hold("text_chars", 0)
    text.resize(100)
    with pytest.raises(Exceeded, match="100 are held and 20 more were asked for"):
        text.resize(120)
    assert made.held["text_chars"] == text.amount == 100
    text.resize(30)
    assert made.held["text_chars"] == 30
    text.release()
    text.resize(50)
    assert made.held["text_chars"] == text.amount == 0


def test_who_holds_nothing_is_forgotten() -> None:
    """A hundred thousand addresses leave nothing; those that were refused neither."""
    made = accounts()
    for number in range(100_000):
        account = made.of(Caller(address=str(number), is_stranger=True))
        with account.hold("sockets"), pytest.raises(Exceeded):
            account.hold("text_chars", 101)
    assert made.holders == 0


def test_a_caller_who_comes_back_has_one_account() -> None:
    """What was held by an account that was forgotten meanwhile counts with what the same caller holds now."""
    made = accounts(caller=1)
    before = made.of(ANN)
    before.hold("sockets").release()
    before.hold("sockets")
    with pytest.raises(Exceeded):
        made.of(ANN).hold("sockets")


def test_refusals_are_counted_by_kind() -> None:
    """Also those of all callers together."""
    made = accounts(total=1)
    made.of(ANN).hold("sockets")
    for caller in (ANN, BEN):
        with pytest.raises(Exceeded):
            made.of(caller).hold("sockets")
    assert made.refusals == {"sockets": 2}


def test_messages_of_all_sockets_of_a_caller_count_together() -> None:
    """A burst is read at once; then nothing, until the budget gives more. Another caller is read on."""
    made = accounts()
    first, second, other = made.of(ANN), made.of(ANN), made.of(BEN)
    for account in (first, other):
        account.hold("sockets")
    assert first.count_messages(30, 0.0) == 0.0 and second.count_messages(10, 0.0) == 0.0
    assert second.count_messages(5, 0.0) == pytest.approx(0.5)
    assert first.count_messages(0, 1.0) == 0.0 and other.count_messages(40, 0.0) == 0.0


def test_a_stranger_sends_less() -> None:
    """And its budget is forgotten with its account."""
    made = accounts()
    socket = made.of(STRANGER).hold("sockets")
    assert made.of(STRANGER).count_messages(25, 0.0) == pytest.approx(1.0)
    socket.release()
    assert made.of(STRANGER).count_messages(20, 0.0) == 0.0
