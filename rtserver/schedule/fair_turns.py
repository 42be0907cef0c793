"""Whose piece of work is next, where tenants share one worker. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)


class Job(NamedTuple, Generic[K]):
    """A piece of work that can be done now."""

    key: K
    tenant: str
    # Seconds of it that are left, as far as known.
    left_s: float


class FairTurns(Generic[K]):
    """The tenant that had the least work goes first, with its shortest job. One that comes anew begins where the least
    served of the others is: it has no claim for the time in which it asked for nothing."""

    def __init__(self) -> None:
        self._had_s: dict[str, float] = {}  # of tenants with jobs

    def next(self, jobs: Iterable[Job[K]]) -> K:
        """The job to work on, of those that there are now: at least one."""
        jobs = list(jobs)
        tenants = {job.tenant for job in jobs}
        least_s = min((had_s for tenant, had_s in self._had_s.items() if tenant in tenants), default=0.0)
        self._had_s = {tenant: self._had_s.get(tenant, least_s) for tenant in tenants}
        return min(jobs, key=lambda job: (self._had_s[job.tenant], job.left_s)).key

    def worked(self, tenant: str, seconds: float) -> None:
        """A tenant's job was worked on."""
        if tenant in self._had_s:
            self._had_s[tenant] += seconds
