"""The rate of refusals."""

from __future__ import annotations

import pytest

from rtserver.front.refusal_pace import RefusalPace


def test_a_few_are_answered_at_once_and_the_others_in_turn() -> None:
    """After the burst each waits a step longer."""
    pace = RefusalPace(per_s=100, burst=3)
    assert [pace.delay_s(5.0) for _ in range(5)] == pytest.approx([0, 0, 0, 0.01, 0.02])


def test_who_is_refused_rarely_never_waits() -> None:
    """At the rate or below it, for as long as one likes."""
    pace = RefusalPace(per_s=100, burst=3)
    assert not any(pace.delay_s(n / 99) for n in range(1000))


def test_a_quiet_time_gives_the_burst_back() -> None:
    """And no more than that, however long it was."""
    pace = RefusalPace(per_s=100, burst=3)
    for _ in range(10):
        pace.delay_s(0.0)
    assert [pace.delay_s(100.0) for _ in range(4)] == pytest.approx([0, 0, 0, 0.01])
