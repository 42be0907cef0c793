"""Whose turn it is when several tenants wait."""

from __future__ import annotations

from rtserver.uploads.fair_queue import FairQueue


def queue(room: int, **waiting: int) -> FairQueue[str]:
    """So many items for each tenant, named a1, a2, ..."""
    made: FairQueue[str] = FairQueue(room)
    for tenant, count in waiting.items():
        for number in range(1, count + 1):
            assert made.add(tenant, f"{tenant}{number}") is None
    return made


def everything(items: FairQueue[str]) -> list[str]:
    found = []
    while (item := items.pop()) is not None:
        found.append(item)
    return found


def test_tenants_have_their_turns() -> None:
    """Within a tenant the first comes first; one that brings many delays the others by one each."""
    assert everything(queue(10, a=4, b=2, c=1)) == ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]


def test_when_it_is_full_the_tenant_with_most_gives_way() -> None:
    """Its last one, and only for one that has clearly less; else what is new does not fit."""
    items = queue(4, a=4)
    assert items.add("a", "a5") == "a5"
    assert items.add("b", "b1") == "a4" and items.add("b", "b2") == "a3"
    assert items.add("b", "b3") == "b3" and items.add("c", "c1") == "a2"
    assert len(items) == 4 and everything(items) == ["a1", "b1", "c1", "b2"]
    assert len(items) == 0 and items.pop() is None


def test_what_waits_no_more_is_not_found() -> None:
    """Removing what is not there does nothing."""
    items = queue(4, a=2, b=1)
    items.remove("a", "a1")
    items.remove("a", "a1")
    items.remove("stranger", "a2")
    assert everything(items) == ["a2", "b1"]


def test_without_room_nothing_waits() -> None:
    """The first one does not fit either."""
    assert queue(0).add("a", "a1") == "a1"
