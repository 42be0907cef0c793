"""The byte budget: counting, refusing, making room."""

from __future__ import annotations

import pytest

from cosyvoice.errors import CacheFull
from cosyvoice.flow.budget import KvBudget


def test_reserve_and_release_count() -> None:
    """Reserved bytes are in use until released."""
    budget = KvBudget(100)
    budget.reserve(60, "a")
    budget.reserve(40, "b")
    assert (budget.in_use_bytes, budget.free_bytes) == (100, 0)
    budget.release(60)
    assert (budget.in_use_bytes, budget.free_bytes) == (40, 60)


def test_refusal_names_what_and_how_much_and_takes_nothing() -> None:
    """CacheFull says what was asked for and what is left; the count stands."""
    budget = KvBudget(100)
    budget.reserve(70, "a")
    with pytest.raises(CacheFull, match="expected 31 free bytes for a block, found 30 of 100"):
        budget.reserve(31, "a block")
    assert budget.in_use_bytes == 70


def test_reclaim_is_asked_for_what_is_short() -> None:
    """A request that does not fit first frees what nobody uses."""
    asked: list[int] = []

    def reclaim(short_bytes: int) -> int:
        asked.append(short_bytes)
        return 50

    budget = KvBudget(100, reclaim)
    budget.reserve(90, "a")
    assert asked == []
    budget.reserve(20, "b")
    assert asked == [10]
    assert budget.in_use_bytes == 60


def test_reclaim_that_frees_nothing_does_not_help() -> None:
    """When nothing can be freed the request is refused."""
    budget = KvBudget(10, lambda short_bytes: 0)
    with pytest.raises(CacheFull):
        budget.reserve(11, "a")
    assert budget.in_use_bytes == 0


@pytest.mark.parametrize("wrong", [-1, 11])
def test_release_of_what_was_not_taken_is_an_error(wrong: int) -> None:
    """Giving back more than is in use, or less than nothing, is refused."""
    budget = KvBudget(100)
    budget.reserve(10, "a")
    with pytest.raises(ValueError, match=r"expected 0\.\.10 bytes"):
        budget.release(wrong)


def test_negative_sizes_are_refused() -> None:
    """Neither a budget nor a request can be negative."""
    with pytest.raises(ValueError, match="found -1"):
        KvBudget(-1)
    with pytest.raises(ValueError, match="found -2"):
        KvBudget(1).reserve(-2, "a")
