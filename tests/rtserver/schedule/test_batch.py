"""Which hops share an Euler step."""

from __future__ import annotations

from rtserver.schedule.batch import Hop, share_step
from rtserver.schedule.costs import Costs


def costs(fixed_s: float, per_frame_s: float) -> Costs:
    """A machine on which a step takes a fixed time and one for each frame; measured for one to eight hops of 50."""
    measured = Costs()
    for hops in range(1, 9):
        measured.note("step", 50 * hops, fixed_s + per_frame_s * 50 * hops)
    return measured


GPU = costs(0.010, 0.00001)
CPU = costs(0.0005, 0.0005)


def hop(name: str, due_s: float, steps: int = 5) -> Hop[str]:
    """Due then, as urgent as that."""
    return Hop(name, (False, due_s, 0.0), due_s, 50, steps)


def test_hops_with_time_fill_a_batch_that_makes_nobody_late() -> None:
    """Where a second hop costs next to nothing all run together, as far as there are places."""
    hops = [hop(name, due_s) for name, due_s in (("c", 9.0), ("a", 7.0), ("d", 12.0), ("b", 8.0))]
    assert share_step(hops, GPU, 8, now_s=0.0) == ["a", "b", "c", "d"]
    assert share_step(hops, GPU, 2, now_s=0.0) == ["a", "b"]


def test_a_machine_that_gains_nothing_runs_one_hop_at_a_time() -> None:
    """On a CPU a second hop would only make the first later."""
    assert share_step([hop("a", 7.0), hop("b", 8.0)], CPU, 8, now_s=0.0) == ["a"]


def test_nothing_rides_along_where_the_urgent_one_would_be_late_for_it() -> None:
    """Five steps of 10.5 ms are done at 52.5 ms; with a second hop at 55 ms."""
    late = hop("urgent", due_s=0.053)
    assert share_step([late, hop("rider", due_s=5.0)], GPU, 8, now_s=0.0) == ["urgent"]
    assert share_step([hop("urgent", 0.056), hop("rider", 5.0)], GPU, 8, now_s=0.0) == ["urgent", "rider"]


def test_two_that_are_both_late_share_the_step() -> None:
    """One after the other would take the second nearly twice as long."""
    assert share_step([hop("a", 0.01), hop("b", 0.02)], GPU, 8, now_s=0.0) == ["a", "b"]


def test_no_hop_joins_a_step_that_would_take_too_long_with_it() -> None:
    """A step of three hops takes 11.5 ms, one of four 12 ms. A hop alone has its step however long that is."""
    hops = [hop(name, due_s=5.0 + number) for number, name in enumerate("abcd")]
    assert share_step(hops, GPU, 8, now_s=0.0, longest_s=0.0116) == ["a", "b", "c"]
    assert share_step(hops, GPU, 8, now_s=0.0, longest_s=0.001) == ["a"]


def test_nothing_to_run_is_nothing() -> None:
    """An idle machine."""
    assert share_step([], GPU, 8, now_s=0.0) == []
