"""Who is next, when several tenants wait: each has its turn, whatever number one of them brings. Pure."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class FairQueue(Generic[Item]):
    """Holds at most `room` items."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._items: dict[str, deque[Item]] = {}  # the tenant that is next comes first
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, tenant: str, item: Item) -> Item | None:
        """When the room is full, returns what does not fit: the item itself, or the last one of the tenant that has
        most, if this tenant has at least two less."""
        own = self._items.get(tenant, ())
        displaced = None
        if self._count >= self._room:
            most = max(self._items, key=lambda name: len(self._items[name]), default=tenant)
            if len(self._items.get(most, ())) < len(own) + 2:
                return item
            displaced = self._items[most][-1]
            self.remove(most, displaced)
        self._items.setdefault(tenant, deque()).append(item)
        self._count += 1
        return displaced

    def remove(self, tenant: str, item: Item) -> None:
        """Does nothing when it is not there any more."""
        items = self._items.get(tenant)
        if items is None or item not in items:
            return
        items.remove(item)
        self._count -= 1
        if not items:
            del self._items[tenant]

    def pop(self) -> Item | None:
        """The next one of the tenant whose turn it is."""
        for tenant, items in self._items.items():
            item = items[0]
            self.remove(tenant, item)
            if items:
                self._items[tenant] = self._items.pop(tenant)  # now last
            return item
        return None
