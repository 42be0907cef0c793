"""Whose piece of work is next."""

from __future__ import annotations

from rtserver.schedule.fair_turns import FairTurns, Job


def test_one_tenants_shortest_job_goes_first() -> None:
    """As without tenants."""
    turns: FairTurns[str] = FairTurns()
    jobs = [Job("long", "ann", 300.0), Job("short", "ann", 3.0), Job("middle", "ann", 30.0)]
    assert turns.next(jobs) == "short"
    turns.worked("ann", 10.0)
    assert turns.next(jobs) == "short"


def test_many_short_jobs_do_not_starve_a_long_one() -> None:
    """A tenant with a job of its own is served half of the time, however many jobs another one brings."""
    turns: FairTurns[str] = FairTurns()
    served = []
    for number in range(100):
        jobs = [Job("long", "ben", 300.0), *[Job(f"short {number} {i}", "ann", 1.0) for i in range(20)]]
        key = turns.next(jobs)
        served.append(key == "long")
        turns.worked("ben" if key == "long" else "ann", 1.0)
    assert sum(served) == 50


def test_work_is_shared_by_time() -> None:
    """Not by pieces: who has large ones gets fewer."""
    turns: FairTurns[str] = FairTurns()
    had_s = {"ann": 0.0, "ben": 0.0}
    for _ in range(100):
        tenant = turns.next([Job("ann", "ann", 1.0), Job("ben", "ben", 1.0)])
        seconds = {"ann": 1.0, "ben": 9.0}[tenant]
        had_s[tenant] += seconds
        turns.worked(tenant, seconds)
    assert abs(had_s["ann"] - had_s["ben"]) <= 9.0


def test_who_asked_for_nothing_has_no_claim() -> None:
    """A newcomer takes turns with one that was served for an hour; it does not keep it waiting for as long."""
    turns: FairTurns[str] = FairTurns()
    turns.next([Job("a", "ann", 1.0)])
    turns.worked("ann", 3600.0)
    served = []
    for _ in range(10):
        tenant = turns.next([Job("ann", "ann", 1.0), Job("ben", "ben", 2.0)])
        served.append(tenant)
        turns.worked(tenant, 1.0)
    assert served.count("ann") == served.count("ben") == 5
