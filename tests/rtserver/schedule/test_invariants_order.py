"""Who goes before whom, whatever comes: checked in simulated time."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.simulator.cost_table import CostTable
from bench.simulator.load import Reply
from tests.rtserver.schedule.simulations import CPU, GPU, HOP_S, SLOW_GPU, batch, choices, machines, reply, simulation

pytestmark = pytest.mark.model

few = settings(max_examples=40, deadline=None, derandomize=True)


@given(machines())
@few
def test_realtime_work_never_waits_for_batch_work_but_for_the_turn_that_runs(
    machine: tuple[CostTable, list[Reply]],
) -> None:
    """A realtime hop that may run leads the next turn."""
    done = simulation(*machine)
    done.run()
    for choice in choices(done):
        classes = {hop.job.stream.reply.service_class for hop in choice.hops}
        if "realtime" in classes:
            assert choice.jobs[0].stream.reply.service_class == "realtime"


@given(st.sampled_from([CPU, GPU, SLOW_GPU]), st.integers(1, 3), st.floats(4.0, 8.0))
@few
def test_a_newcomer_never_waits_behind_those_with_slack(table: CostTable, others: int, at_s: float) -> None:
    """Once its tokens are there it is in every turn, up to its first sound."""
    running = [reply(f"old {number}", 0.1 * number, 12.0, table) for number in range(others)]
    done = simulation(table, [*running, reply("new", at_s, 3.0, table)])
    done.run()
    turns = [c for c in choices(done) if any(hop.job.stream.reply.name == "new" for hop in c.hops)]
    assert len(turns) >= 3 * table.euler_steps
    for choice in turns[: table.euler_steps]:
        assert choice.jobs[0].stream.reply.name == "new"


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 2)), min_size=1, max_size=5))
@few
def test_tenants_share_batch_work_evenly(work: list[tuple[str, float]]) -> None:
    """However many streams each has, and whoever came first: while both have work, they are given the same sound,
    within two hops."""
    flow_bound = replace(CPU, frame_s=3 * CPU.frame_s)
    streams = [("a", 0.0), ("b", 0.0), *work]
    replies = [batch(f"{n} {tenant}", at_s, 12.0, flow_bound, tenant) for n, (tenant, at_s) in enumerate(streams)]
    done = simulation(flow_bound, replies)
    had_s: dict[str, float] = defaultdict(float)
    done.run()
    left = {tenant: sum(t == tenant for t, _ in streams) for tenant in "ab"}
    for entry in done.log:
        if entry.what == "over":
            left[entry.names[0][-1]] -= 1
        elif entry.what == "sound":
            had_s[entry.names[0][-1]] += entry.figures[1]
        if min(left.values()) > 0:
            assert abs(had_s["a"] - had_s["b"]) <= 2 * HOP_S
    assert had_s["a"] >= 11.9 and had_s["b"] >= 11.9


@given(st.sampled_from([CPU, SLOW_GPU]), st.integers(1, 2))
@few
def test_batch_work_gets_what_realtime_leaves(table: CostTable, listeners: int) -> None:
    """Beside listeners who take half of the machine it is through long before they are."""
    realtime = [reply(f"real {number}", 0.0, 30.0, table) for number in range(listeners)]
    done = simulation(table, [*realtime, batch("batch", 1.0, 10.0, table)])
    done.run()
    assert next(entry.at_s for entry in done.log if entry.what == "over") < 20.0
    assert [o.playback.gaps for o in done.outcomes.values() if o.reply.service_class == "realtime"] == [0] * listeners


def test_batch_work_costs_a_listener_a_turn_for_each_thing_it_waits_for() -> None:
    """Its first sound waits for its tokens, its hop, and the tokens of the next hop: each may find a turn under way,
    and the talker's steps are a little longer for two."""
    alone = simulation(CPU, [reply("real", 1.0, 3.0)])
    beside = simulation(CPU, [reply("real", 1.0, 3.0), batch("batch", 0.0, 20.0)])
    alone.run()
    beside.run()
    first_s = [done.outcomes["real"].waited_s(from_first_text=True) for done in (alone, beside)]
    turn_s = CPU.euler_s([(50, 3.0)]) + CPU.decode_s(50)
    assert first_s[0] < first_s[1] <= first_s[0] + 3 * turn_s
