"""Baselines to compare the server's schedule with. They run in its place, in the engine and in the simulator."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from rtserver.schedule.batch import Hop
from rtserver.schedule.costs import Costs
from rtserver.schedule.scheduler import Places, Scheduler
from rtserver.schedule.standing import Standing, Urgency

POLICIES = ("ours", "first_come", "original")  # by the names that baseline_server.py knows

J = TypeVar("J")
_ALL = 1 << 30


class ArrivalOrder(Scheduler):
    """Who came first goes first, at the talker and at the flow, whoever runs dry. The talker gets all at once."""

    def __init__(self, places: Places, costs: Costs | None = None) -> None:
        super().__init__(Places(quanta=_ALL, hops=places.hops), costs)

    def _urgency(self, standing: Standing, cost_s: float, now_s: float, ahead_s: float = 0.0) -> Urgency:
        return False, standing.since_s, 0.0


class WholeChunks(Scheduler):
    """All hops that wait go through their Euler steps together, as many as there are places; who comes meanwhile waits
    for the next batch. The schedule's own order says who is in it."""

    def __init__(self, places: Places, costs: Costs | None = None) -> None:
        super().__init__(places, costs)
        self._batch: list[Any] = []

    def share(self, hops: Iterable[Hop[J]], now_s: float) -> list[J]:
        waiting = sorted(hops, key=lambda hop: hop.urgency)
        chosen = [hop.job for hop in waiting if hop.job in self._batch]
        if not chosen:  # through, or nobody wants it any more
            chosen = [hop.job for hop in waiting[: self.places.hops]]
            self._batch = list(chosen)
        return chosen


class FirstCome(ArrivalOrder, WholeChunks):
    """First come, first served, in batches of whole chunks; caches and the lead's bound stay. A first sound goes out
    when it is made."""

    holds_first_sound = False
