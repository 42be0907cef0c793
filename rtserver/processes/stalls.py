"""Finds work that is not done in time, though its process works for others. Pure.

Checks are counted, not seconds: while the whole server is stopped nobody checks, and nothing is late afterwards.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable
from typing import Generic, TypeVar

Work = TypeVar("Work", bound=Hashable)

_CHECKS = 4


class Stalls(Generic[Work]):
    """Call `check` every `every_s`. Work that goes on must get another name with each step."""

    def __init__(self, limit_s: float) -> None:
        self.every_s = limit_s / _CHECKS
        self._seen: dict[Work, int] = {}

    def check(self, under_way: Collection[Work]) -> list[Work]:
        """What is under way now. Returns what was under way for the whole limit, and a quarter more at most."""
        self._seen = {work: self._seen.get(work, 0) + 1 for work in under_way}
        return [work for work, times in self._seen.items() if times > _CHECKS]
