"""Baselines that the server's schedule is compared with. They run in its place, in the engine and in the simulator."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from rtserver.schedule.batch import Hop
from rtserver.schedule.costs import Costs
from rtserver.schedule.scheduler import Places, Scheduler
from rtserver.schedule.standing import Standing, Urgency

POLICIES = ("ours", "first_come", "original")  # the names that baseline_server.py knows

J = TypeVar("J")
_ALL = 1 << 30


class ArrivalOrder(Scheduler):
    """The utterance that came first goes first, at the talker and at the flow, even if another listener runs dry. The
    talker gets all quanta at once."""

    def __init__(self, places: Places, costs: Costs | None = None) -> None:
        super().__init__(Places(quanta=_ALL, hops=places.hops), costs)

    def _urgency(self, standing: Standing, cost_s: float, now_s: float, ahead_s: float = 0.0) -> Urgency:
        return False, standing.since_s, 0.0


class WholeChunks(Scheduler):
    """All waiting hops go through their Euler steps together, as many as there are places. A hop that comes later waits
    for the next batch. The schedule's own order decides which hops are in a batch."""

    def __init__(self, places: Places, costs: Costs | None = None) -> None:
        super().__init__(places, costs)
        self._batch: list[Any] = []

    def share(self, hops: Iterable[Hop[J]], now_s: float) -> list[J]:
        waiting = sorted(hops, key=lambda hop: hop.urgency)
        chosen = [hop.job for hop in waiting if hop.job in self._batch]
        if not chosen:  # the batch is complete, or its streams were cancelled
            chosen = [hop.job for hop in waiting[: self.places.hops]]
            self._batch = list(chosen)
        return chosen


class FirstCome(ArrivalOrder, WholeChunks):
    """First come, first served, in batches of whole chunks. Caches and the bound of the lead stay. A first sound is
    sent as soon as it is made."""

    holds_first_sound = False
