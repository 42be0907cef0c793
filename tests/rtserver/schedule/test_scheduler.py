"""Who goes next at the talker, and fair shares of batch work."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest

from rtserver.schedule.costs import Costs
from rtserver.schedule.scheduler import COMFORT_S, HALF_LIFE_S, Places, Scheduler, Served
from rtserver.schedule.standing import Standing
from tests.rtserver.schedule.standings import standing


@dataclass
class Waiting:
    """A stream with a quantum for the talker; its costs are fixed."""

    name: str
    standing: Standing
    sampling: bool = False
    ahead_s: float = 0.0
    idle: bool = False
    cost_s: float = 0.1
    left_s: float = 0.0

    def slack_s(self, now_s: float) -> float:
        return self.left_s

    def can_sample(self) -> bool:
        return not self.sampling

    def standing_released(self, now_s: float) -> Standing:
        return self.standing

    def quantum_cost_s(self, costs: Costs) -> float:
        return self.cost_s

    def hop_cost_s(self, costs: Costs) -> float:
        return self.cost_s

    def hop_left_s(self, costs: Costs) -> float:
        return self.cost_s


def names(scheduler: Scheduler, streams: list[Waiting]) -> list[str]:
    """Whose quanta go now, at time 10."""
    return [stream.name for stream in scheduler.quanta(streams, 10.0)[0]]


def test_a_step_that_talker_and_flow_share_a_gpu_for_is_short() -> None:
    """10 ms, unless the settings say otherwise. On a CPU each has its own core."""
    assert (Places.of("cuda").step_s, Places.of("cuda", step_s=0.004).step_s) == (0.010, 0.004)
    assert (Places.of("cpu").step_s, Places.of("cpu", step_s=0.004).step_s) == (math.inf, 0.004)
    assert (Places.of("cuda", 8).hops, Places.of("cuda", 100).hops, Places.of("cpu").hops) == (8, 64, 4)


def test_the_talker_keeps_room_for_newcomers() -> None:
    """With all places taken, those with time wait; a newcomer and one that is short go at once."""
    streams = [
        Waiting("rich", standing(4.0)),
        Waiting("richer", standing(4.5)),
        Waiting("short", standing(COMFORT_S / 2)),
        Waiting("new", standing()),
        Waiting("covered", standing(COMFORT_S / 2, unvoiced_s=COMFORT_S)),
    ]
    busy = [Waiting(f"busy {i}", standing(2.0), sampling=True) for i in range(2)]
    assert names(Scheduler(Places(2, 1)), [*streams, *busy]) == ["new", "short"]
    assert names(Scheduler(Places(3, 1)), streams) == ["new", "short", "covered"]


def test_a_quantum_is_long_where_its_listener_has_time() -> None:
    """A second is left when 50 tokens (.55 s, and .1 s for twice the mean deviation) and the hop (.1 s) are there.
    Batch work has nobody who waits. On a GPU quanta are as long as hops need."""
    costs = Costs()
    costs.calibrate("quantum", 50, 0.5)
    costs.note("quantum", 50, 0.5)
    costs.note("quantum", 50, 0.75)  # the average is now .55 s, the mean deviation .05 s

    def tokens(waiting: Waiting, places: Places | None = None) -> int:
        places = places or Places(2, 1, long_quantum_tokens=50)
        return Scheduler(places, costs).long_tokens(waiting, 10.0)

    assert tokens(Waiting("short", standing(), left_s=0.74 + COMFORT_S)) == 0
    assert tokens(Waiting("rich", standing(), left_s=0.76 + COMFORT_S)) == 50
    assert tokens(Waiting("batch", standing(service_class="batch"))) == 50
    rich = Waiting("rich", standing(), left_s=5.0)
    assert tokens(rich, Places.of("cuda")) == 0 and tokens(rich, Places.of("cpu")) == 50


def test_the_talkers_time_is_shared_by_the_quanta_side_by_side() -> None:
    """A quantum of 15 tokens among several streams takes .12 s, and two run at once: 25 tokens take .1 s. What one
    stream alone takes does not count."""
    scheduler = Scheduler(Places(quanta=2, hops=4))
    assert scheduler.talker_s(25, 15) == 0.0
    scheduler.note("quantum", 15, 5.0, streams=1)
    assert scheduler.talker_s(25, 15) == 0.0
    scheduler.note("quantum", 15, 0.12, streams=3)
    assert scheduler.talker_s(25, 15) == pytest.approx(0.1)


def test_batch_work_has_more_places_while_nobody_listens() -> None:
    """Side by side it costs the talker less; beside a listener, also one who has enough, it keeps to the fewer."""
    batch = [Waiting(f"b{i}", standing(None, service_class="batch", since_s=float(i))) for i in range(6)]
    busy = Waiting("busy", standing(None, service_class="batch"), sampling=True)
    places = Places(2, 1, batch_quanta=5)
    assert names(Scheduler(places), [*batch, busy]) == ["b0", "b1", "b2", "b3"]
    assert names(Scheduler(places), [*batch, busy, Waiting("full", standing(9.0))]) == ["b0"]
    assert names(Scheduler(Places(2, 1)), [*batch, busy]) == ["b0"]


def test_a_full_listener_is_looked_at_again_when_it_has_heard_enough() -> None:
    """The earliest of them says when; one whose sound is not taken says nothing."""
    streams = [Waiting("a", standing(6.0)), Waiting("b", standing(5.5)), Waiting("held", standing(1.0, held=True))]
    chosen, wake_s = Scheduler(Places(2, 1)).quanta(streams, 10.0)
    assert chosen == [] and wake_s == pytest.approx(10.5)
    assert Scheduler(Places(2, 1)).quanta([streams[2]], 10.0) == ([], None)


def test_what_goes_before_counts_all_that_is_more_urgent() -> None:
    """Idle and full streams take no time; less urgent ones come later."""
    own = Waiting("own", standing(1.0))
    others = [
        Waiting("dry", standing(0.2), cost_s=0.3),
        Waiting("new", standing(), cost_s=0.2),
        Waiting("rich", standing(3.0)),
        Waiting("idle", standing(0.1), idle=True),
        Waiting("full", standing(9.0)),
    ]
    assert Scheduler(Places(2, 1)).before_s(own, [own, *others], 10.0) == pytest.approx(0.5)


def test_before_counts_what_hops_take_together_where_sharing_gains() -> None:
    """Four hops that share their steps are through in little more than the time of one."""
    costs = Costs()
    for hops in range(1, 9):
        costs.note("step", 50 * hops, 0.010)
    others = [Waiting(f"dry {i}", standing(0.2), cost_s=0.3) for i in range(4)]
    own = Waiting("own", standing(1.0))
    before_s = Scheduler(Places(64, 64), costs).before_s(own, [own, *others], 10.0)
    assert before_s == pytest.approx(0.3)


def test_batch_work_is_shared_between_tenants() -> None:
    """The tenant that had least goes first, whoever came first; a minute later half of that is forgotten."""
    scheduler = Scheduler(Places(1, 1))
    scheduler.served.add("greedy", 30.0, 10.0)
    streams = [
        Waiting("g", standing(None, service_class="batch", since_s=0.0, tenant="greedy")),
        Waiting("m", standing(None, service_class="batch", since_s=5.0, tenant="modest")),
    ]
    assert names(scheduler, streams) == ["m"]
    served = Served()
    served.add("a", 8.0, 0.0)
    assert served.had_s("a", HALF_LIFE_S) == pytest.approx(4.0) and served.had_s("b", 0.0) == 0.0
