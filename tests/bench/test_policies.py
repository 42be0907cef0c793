"""First come, first served: order, and batches of whole chunks."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bench.load.baselines.policies import FirstCome
from rtserver.schedule.batch import Hop
from rtserver.schedule.scheduler import Places, Scheduler
from rtserver.schedule.standing import Standing
from tests.rtserver.schedule.standings import standing
from tests.rtserver.schedule.test_scheduler import Waiting

STEPS = 5


@dataclass
class Device:
    """Runs what a policy chooses; `hops` are those that may run."""

    policy: Scheduler
    hops: list[Hop[str]]

    def step(self) -> list[str]:
        """Advances the chosen by one Euler step, takes away those that are through, and tells who they were."""
        chosen = self.policy.share(self.hops, 10.0)
        left = [replace(h, steps=h.steps - (h.job in chosen)) for h in self.hops]
        self.hops = [h for h in left if h.steps]
        return chosen


def hop(policy: Scheduler, name: str, at: Standing) -> Hop[str]:
    return Hop(name, policy.hop_urgency(Waiting(name, at), 10.0), at.due_s, 50, STEPS)


def first_come(hops: int = 4) -> FirstCome:
    return FirstCome(Places(quanta=2, hops=hops))


def test_hops_go_in_the_order_in_which_their_utterances_came() -> None:
    """Neither a newcomer's target, nor a listener that runs dry, nor a class goes before who came first."""
    policy = first_come(2)
    hops = [
        hop(policy, "new", standing(since_s=9.0)),
        hop(policy, "dry", standing(0.1, since_s=8.0)),
        hop(policy, "rich", standing(4.0, since_s=2.0)),
        hop(policy, "batch", standing(service_class="batch", since_s=1.0)),
    ]
    assert policy.share(hops, 10.0) == ["batch", "rich"]
    by_deadline = Scheduler(Places(quanta=2, hops=2))
    hops = [hop(by_deadline, h.job, s) for h, s in zip(hops, [standing(since_s=9.0), standing(4.0, since_s=2.0)])]
    assert by_deadline.share(hops, 10.0)[0] == "new"


def test_a_batch_runs_through_all_its_steps_before_anybody_joins() -> None:
    """One that comes in its first step waits for the last, though there are places, and though it came before."""
    policy = first_come()
    device = Device(policy, [hop(policy, "b", standing(since_s=2.0)), hop(policy, "c", standing(since_s=3.0))])
    ran = [device.step()]
    device.hops += [hop(policy, "a", standing(since_s=1.0)), hop(policy, "d", standing(since_s=4.0))]
    ran += [device.step() for _ in range(2 * STEPS - 1)]
    assert ran == [["b", "c"]] * STEPS + [["a", "d"]] * STEPS
    assert device.hops == []


def test_a_batch_has_as_many_hops_as_there_are_places() -> None:
    """The earliest of all that may run; the others are the next batch."""
    policy = first_come(4)
    device = Device(policy, [hop(policy, str(i), standing(since_s=float(i))) for i in (5, 4, 3, 2, 1, 0)])
    assert [device.step() for _ in range(STEPS + 1)] == [["0", "1", "2", "3"]] * STEPS + [["4", "5"]]


def test_who_leaves_a_batch_makes_no_room_in_it() -> None:
    """A cancel in the middle frees its share of the steps, and the next batch begins when the rest is through."""
    policy = first_come(2)
    device = Device(policy, [hop(policy, str(i), standing(since_s=float(i))) for i in range(3)])
    device.step()
    del device.hops[0]
    assert [device.step() for _ in range(STEPS)] == [["1"]] * (STEPS - 1) + [["2"]]
    assert first_come().share([], 10.0) == []


def test_the_talker_gets_all_quanta_in_the_order_of_arrival() -> None:
    """None is kept back for a free place; whose listener is full is left out, as in the server's own policy."""
    streams = [
        Waiting("late", standing(1.5, since_s=8.0)),
        Waiting("early", standing(3.0, since_s=2.0)),
        Waiting("full", standing(6.0, since_s=1.0)),
    ]
    chosen, wake_s = FirstCome(Places(quanta=1, hops=4)).quanta(streams, 10.0)
    assert [stream.name for stream in chosen] == ["early", "late"]
    assert wake_s == 11.0
    assert [stream.name for stream in Scheduler(Places(1, 4)).quanta(streams, 10.0)[0]] == ["late"]


def test_only_the_servers_own_policy_keeps_a_first_sound_back() -> None:
    """The engine asks the policy."""
    assert Scheduler.holds_first_sound and not FirstCome.holds_first_sound
