"""Policies that exist only in simulations: the original server's, and variants of ours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from bench.load.baselines.policies import ArrivalOrder
from bench.simulator.making import Making
from rtserver.schedule.batch import Hop
from rtserver.schedule.scheduler import Scheduler, Stream

S = TypeVar("S", bound=Stream)
J = TypeVar("J")
_LITTLE = 0.7  # a rider is cheap if it adds at most this share of the time that it would take alone

# Hops of 25, 50, then 100 tokens. Each computes everything before it again. The server checks for tokens every 100 ms
# and does not hold the first sound back.
ORIGINAL = Making(shared_prefix=False, incremental=False, hops=(25, 50, 100), poll_s=0.1, holds=False)


class OneByOne(ArrivalOrder):
    """One stream at a time. The next one begins when all sound of this one is made."""

    def quanta(self, streams: Sequence[S], now_s: float) -> tuple[list[S], float | None]:
        first = min(streams, key=lambda stream: stream.standing.since_s, default=None)
        return super().quanta([] if first is None else [first], now_s)

    def share(self, hops: Iterable[Hop[J]], now_s: float) -> list[J]:
        return [hop.job for hop in sorted(hops, key=lambda hop: hop.urgency)[:1]]


class CheapRiders(Scheduler):
    """A hop that adds little to a step always joins it, even if another hop is late. (Ours keeps steps small for a late
    hop.)"""

    def share(self, hops: Iterable[Hop[J]], now_s: float) -> list[J]:
        ordered = sorted(hops, key=lambda hop: hop.urgency)
        chosen, frames = ordered[:1], sum(hop.frames for hop in ordered[:1])
        for hop in ordered[1:]:
            if len(chosen) >= self.places.hops:
                break
            alone_s, step_s = self.costs.predict("step", hop.frames), self.costs.predict("step", frames)
            if self.costs.predict("step", frames + hop.frames) - step_s <= _LITTLE * alone_s:
                chosen.append(hop)
                frames += hop.frames
        return [hop.job for hop in chosen]
