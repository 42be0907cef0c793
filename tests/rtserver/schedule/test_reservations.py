"""Conversations with a place: what they may use, and when they lose it."""

from __future__ import annotations

import pytest

from rtserver.schedule.reservations import GRACE_S, WINDOW_S, Reservation


def reservation(share: float = 0.5, idle_s: float = 300.0) -> Reservation:
    return Reservation(share, idle_s, since_s=0.0)


def test_a_conversation_that_speaks_its_share_keeps_its_place() -> None:
    """For hours, in turns of any length that its share gives time for."""
    made = reservation()
    for turn in range(500):
        made.begin(20.0 * turn)
        assert made.kept
        made.end(20.0 * turn + 10.0)
        assert made.kept


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_one_that_speaks_without_end_is_treated_like_others(share: float) -> None:
    """After as much as its share gives in a window, and a little more; silence makes up for it."""
    made = reservation(share)
    made.begin(0.0)
    most_s = (share * WINDOW_S + GRACE_S) / (1 - share)
    made.look(most_s - 0.01)
    assert made.kept
    made.look(most_s + 0.01)
    assert not made.kept
    made.end(most_s + 0.02)
    made.look(most_s + 1.0)
    assert made.kept


def test_two_utterances_count_as_one_that_speaks() -> None:
    """The conversation is silent when both are made."""
    made = reservation()
    made.begin(0.0)
    made.begin(1.0)
    made.end(2.0)
    assert not made.silent
    made.end(3.0)
    assert made.silent


def test_a_silent_conversation_loses_its_place() -> None:
    """After `idle_s`, not while it speaks; it can be renewed."""
    made = reservation(1.0, idle_s=10.0)
    made.begin(5.0)
    made.end(30.0)
    made.look(40.0)
    assert made.kept
    made.look(40.1)
    assert not made.kept and made.is_idle(40.1)
    made.renew(41.0)
    assert made.kept and not made.is_idle(50.0)
