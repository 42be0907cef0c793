"""How many conversations a simulated server carries, and what breaks above that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.simulator.ideas import Server, ideas_for
from bench.simulator.result import Summary

_FACTOR = 1.4  # each load is this many times the one before, until one breaks
_PRECISION = 0.05
_NOTICED_S = 0.01
_MOST = 4000


@dataclass(frozen=True)
class Service:
    """The service that must hold."""

    # The largest p95 of the TTFA.
    ttfa_s: float
    # The smallest share of replies without a gap.
    continuity: float
    # Whether TTFA counts from the first text; otherwise from enough text for a first sound.
    from_first_text: bool = False

    def holds(self, summary: Summary) -> bool:
        return self.ttfa_of(summary) <= self.ttfa_s and summary.continuity >= self.continuity

    def ttfa_of(self, summary: Summary) -> float:
        return summary.text_ttfa_p95_s if self.from_first_text else summary.ttfa_p95_s

    def broken_by(self, summary: Summary) -> str:
        """The part of the service that does not hold."""
        if summary.memory_wait_p95_s > _NOTICED_S:
            return "memory"
        return "compute" if summary.continuity < self.continuity else "TTFA"


@dataclass(frozen=True)
class Capacity:
    """The most that a server carries."""

    idea: str
    told: str
    # Conversations. 0: not even one.
    limit: int
    # The results at the limit.
    at_limit: Summary | None
    # What breaks above the limit.
    breaks: str
    # The results of all loads that were tried.
    tried: list[Summary]


def most(carry: Callable[[int], Summary], service: Service, start: int) -> tuple[int, dict[int, Summary]]:
    """The highest load at which service holds, to a few percent, and the results of every load that was tried. The
    search begins low, because a load far above the limit takes long to simulate."""
    tried: dict[int, Summary] = {}

    def holds(talkers: int) -> bool:
        tried[talkers] = carry(talkers)
        return service.holds(tried[talkers])

    low, talkers = 0, max(1, start)
    while not holds(talkers):
        if talkers == 1:
            return 0, tried
        talkers = max(1, talkers // 3)
    while service.holds(tried[talkers]):
        low, talkers = talkers, max(talkers + 1, round(talkers * _FACTOR))
        if talkers > _MOST:
            return low, tried
        if talkers not in tried:
            holds(talkers)
    high = talkers
    while high - low > max(1, _PRECISION * low):
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low, tried


def find(idea: str, server: Server, service: Service, start: int, also: Sequence[int] = ()) -> Capacity:
    """The limit of a server. also: other loads to try, for its curve."""
    known = ideas_for(server.table)[idea]
    changed = known.change(server)
    limit, tried = most(changed.carry, service, start)
    if known.curve:
        tried |= {talkers: changed.carry(talkers) for talkers in also if talkers not in tried}
    beyond = min((talkers for talkers in tried if talkers > limit), default=None)
    breaks = "" if beyond is None else service.broken_by(tried[beyond])
    return Capacity(idea, known.told, limit, tried.get(limit), breaks, [tried[talkers] for talkers in sorted(tried)])
