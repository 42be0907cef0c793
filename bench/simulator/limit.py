"""How many conversations a simulated server carries, and what gives way beyond."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.simulator.ideas import Server, ideas_for
from bench.simulator.result import Summary

_FACTOR = 1.4  # from one load to the next, before the limit is bracketed
_PRECISION = 0.05
_NOTICED_S = 0.01
_MOST = 4000


@dataclass(frozen=True)
class Service:
    """What is promised."""

    ttfa_s: float
    continuity: float
    from_first_text: bool = False

    def holds(self, summary: Summary) -> bool:
        return self.ttfa_of(summary) <= self.ttfa_s and summary.continuity >= self.continuity

    def ttfa_of(self, summary: Summary) -> float:
        return summary.text_ttfa_p95_s if self.from_first_text else summary.ttfa_p95_s

    def broken_by(self, summary: Summary) -> str:
        """What gave way."""
        if summary.memory_wait_p95_s > _NOTICED_S:
            return "memory"
        return "compute" if summary.continuity < self.continuity else "TTFA"


@dataclass(frozen=True)
class Capacity:
    """The most that a server carries (0: not even one), what that brought, what breaks beyond, and all that was
    tried."""

    idea: str
    told: str
    limit: int
    at_limit: Summary | None
    breaks: str
    tried: list[Summary]


def most(carry: Callable[[int], Summary], service: Service, start: int) -> tuple[int, dict[int, Summary]]:
    """The highest load at which service holds, within a few percent, and what every load tried brought. It begins low:
    what is far beyond a limit takes long to simulate."""
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
    """A server's limit. also: loads that its curve shall show."""
    known = ideas_for(server.table)[idea]
    changed = known.change(server)
    limit, tried = most(changed.carry, service, start)
    if known.curve:
        tried |= {talkers: changed.carry(talkers) for talkers in also if talkers not in tried}
    beyond = min((talkers for talkers in tried if talkers > limit), default=None)
    breaks = "" if beyond is None else service.broken_by(tried[beyond])
    return Capacity(idea, known.told, limit, tried.get(limit), breaks, [tried[talkers] for talkers in sorted(tried)])
