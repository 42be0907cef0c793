"""Simulated machines and loads for tests of the schedule."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from bench.simulator.cost_table import CostTable, find_table
from bench.simulator.load import Recorded, Reply, written
from bench.simulator.simulated import Job
from bench.simulator.simulation import Simulation
from rtserver.schedule.batch import Hop
from rtserver.schedule.scheduler import J, Scheduler

# A second hop in a step costs as much as the first, or next to nothing; the talker has a device of its own, or not.
CPU = CostTable.load(find_table("cpu_2_cores_embedded"))
GPU = CostTable.load(find_table("h100_released_bf16"))
SLOW_GPU = replace(GPU, step_s=0.02, vocoder_s=0.02, shared_device=False)
HOP_S = 1.12  # the longest hop: the last one includes its look-ahead
QUANTUM_S = 1.0


@dataclass(frozen=True)
class Choice:
    """The hops that a turn could choose from, and those that it chose."""

    at_s: float
    hops: list[Hop[Job]]
    jobs: list[Job]


class Watched(Scheduler):
    """Records its choices."""

    def __init__(self, table: CostTable) -> None:
        super().__init__(table.places, table.known_costs(table.places))
        self.choices: list[Choice] = []

    def share(self, hops: Iterable[Hop[J]], now_s: float) -> list[J]:
        hops = list(hops)
        jobs = super().share(hops, now_s)
        self.choices.append(Choice(now_s, hops, jobs))  # type: ignore[arg-type]
        return jobs


def simulation(table: CostTable, replies: list[Reply]) -> Simulation:
    """A simulation of the server's schedule that keeps all events."""
    return Simulation(table, Watched(table), Recorded(replies), record=True)


def choices(done: Simulation) -> list[Choice]:
    """The choices of every turn."""
    assert isinstance(done.scheduler, Watched)
    return done.scheduler.choices


def reply(name: str, at_s: float, seconds: float, table: CostTable = CPU, **change: object) -> Reply:
    """A reply whose text is written at 30 pieces a second."""
    tokens = round(seconds * 25)
    return replace(Reply(name, at_s, tokens, written(tokens, table, 30.0)), **change)  # type: ignore[arg-type]


def batch(name: str, at_s: float, seconds: float, table: CostTable = CPU, tenant: str = "") -> Reply:
    """A reply of class batch. All its text is there at once."""
    tokens = round(seconds * 25)
    return Reply(name, at_s, tokens, ((0.0, tokens),), "batch", None, tenant)


tables = st.sampled_from([CPU, GPU, SLOW_GPU])


@st.composite
def loads(draw: st.DrawFn, table: CostTable, *, cancels: bool = True) -> list[Reply]:
    """Loads of a few replies at any time, of both classes, some of them cancelled."""
    replies = []
    for number in range(draw(st.integers(1, 6))):
        at_s = draw(st.floats(0, 4)) if number else 0.0
        seconds = draw(st.sampled_from([0.2, 0.6, 1.0, 2.3, 4.9, 7.0]))
        if draw(st.integers(0, 3)) == 0:
            replies.append(batch(f"batch {number}", at_s, seconds, table, tenant=draw(st.sampled_from("ab"))))
            continue
        cancel_s = draw(st.floats(0, 4)) if cancels and draw(st.booleans()) else None
        max_lead_s = draw(st.sampled_from([1.0, 2.5, 5.0, None]))
        replies.append(reply(f"real {number}", at_s, seconds, table, max_lead_s=max_lead_s, cancel_s=cancel_s))
    return replies


@st.composite
def machines(draw: st.DrawFn, *, cancels: bool = True) -> tuple[CostTable, list[Reply]]:
    """A machine and its load."""
    table = draw(tables)
    return table, draw(loads(table, cancels=cancels))
