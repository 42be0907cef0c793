"""How many messages a second are read."""

from __future__ import annotations

import pytest

from rtserver.front.message_budget import MessageBudget, messages_in


def test_a_burst_is_read_at_once() -> None:
    """Then the next message has to wait until the budget gives it."""
    budget = MessageBudget(per_s=10, burst=30, now_s=0.0)
    assert [budget.take(1, 0.0) for _ in range(30)] == [0.0] * 30
    assert budget.take(1, 0.0) == pytest.approx(0.1)
    assert budget.take(1, 0.1) == pytest.approx(0.1)


def test_silence_fills_the_budget_up_to_the_burst() -> None:
    """However long it was."""
    budget = MessageBudget(per_s=10, burst=30, now_s=0.0)
    budget.take(30, 0.0)
    assert budget.take(20, 2.0) == 0.0
    assert budget.take(30, 1000.0) == 0.0 and budget.take(1, 1000.0) > 0.0


def test_who_keeps_to_the_rate_never_waits() -> None:
    """For hours."""
    budget = MessageBudget(per_s=10, burst=30, now_s=0.0)
    assert all(budget.take(1, number / 9) == 0.0 for number in range(10_000))


@pytest.mark.parametrize(("size", "messages"), [(0, 1), (16383, 1), (16384, 2), (1 << 20, 65)])
def test_a_large_message_counts_as_several(size: int, messages: int) -> None:
    """Reading it takes as long."""
    assert messages_in(size) == messages
