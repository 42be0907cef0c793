"""What holds for every stream, whatever comes: checked in simulated time."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given, settings

from bench.simulator.cost_table import CostTable
from bench.simulator.load import Reply
from bench.simulator.simulated import SimulatedStream
from rtserver.schedule.standing import may_work, may_work_at_s
from tests.rtserver.schedule.simulations import CPU, HOP_S, QUANTUM_S, machines, reply, simulation

pytestmark = pytest.mark.model

Given = tuple[CostTable, list[Reply]]

LOOKS_S = 0.003  # a plan looks again a millisecond after it may
few = settings(max_examples=40, deadline=None, derandomize=True)


def may_hop(stream: SimulatedStream, now_s: float) -> bool:
    """Whether a hop of it could run, and has been able to for a moment."""
    at_s = may_work_at_s(stream.standing)
    overdue = at_s is None or at_s < now_s - LOOKS_S
    return (stream.job is not None or stream.can_hop) and may_work(stream.standing, now_s) and overdue


@given(machines(cancels=False))
@few
def test_every_stream_gets_all_its_audio(machine: Given) -> None:
    """Nobody starves, batch work neither: the machine comes to rest with everything made, and heard once."""
    done = simulation(*machine)
    done.run()
    assert done.streams == {} and len(done.outcomes) == len(machine[1])
    for outcome in done.outcomes.values():
        assert outcome.playback.sent_s == pytest.approx(outcome.reply.seconds)
        assert outcome.over_s is not None and outcome.over_s >= outcome.reply.at_s + outcome.reply.seconds


@given(machines())
@few
def test_the_device_never_idles_while_a_hop_may_run(machine: Given) -> None:
    """Work conserving: after everything that happens the device works, or no hop can."""
    runs = simulation(*machine)
    while runs.step():
        if not runs.acoustic.device.busy:
            assert [s.reply.name for s in runs.streams.values() if may_hop(s, runs.now_s)] == []


@given(machines())
@few
def test_the_talker_never_idles_while_a_stream_may_be_sampled(machine: Given) -> None:
    """Unless a turn runs, during which nothing is planned, the same holds there."""
    runs = simulation(*machine)
    while runs.step():
        if not runs.acoustic.talker_device.busy and not runs.acoustic.device.busy:
            assert runs.scheduler.quanta(list(runs.streams.values()), runs.now_s - LOOKS_S)[0] == []


@given(machines())
@few
def test_no_stream_runs_ahead_of_its_listener(machine: Given) -> None:
    """What is sent stays within the lead and one hop; what is sampled, within one and a quantum more."""
    runs = simulation(*machine)
    while runs.step():
        for stream in runs.streams.values():
            if stream.reply.max_lead_s is not None:
                lead_s = stream.standing.playback.lead_s(runs.now_s)
                bound_s = stream.reply.max_lead_s + HOP_S + runs.table.withheld_s
                assert lead_s <= bound_s and lead_s + stream.unvoiced_s <= bound_s + QUANTUM_S


@given(machines())
@few
def test_sounds_come_in_order_and_none_after_a_cancel(machine: Given) -> None:
    """Every sound begins where the last one ended. What a cancel finds under way is not heard."""
    done = simulation(*machine)
    done.run()
    ends_s: dict[str, float] = defaultdict(float)
    until_s: dict[str, float] = {}  # sent when it was cancelled
    for entry in done.log:
        if entry.what == "sound":
            (name,), (start_s, seconds) = entry.names, entry.figures
            assert start_s == pytest.approx(ends_s[name]) and seconds > 0
            ends_s[name] += seconds
        elif entry.what == "cancel":
            until_s[entry.names[0]] = ends_s[entry.names[0]]
    assert sum(outcome.cancelled for outcome in done.outcomes.values()) == len(until_s)
    for name, outcome in done.outcomes.items():
        assert outcome.playback.sent_s == pytest.approx(until_s.get(name, outcome.reply.seconds))


@given(machines())
@few
def test_a_cancel_wastes_at_most_a_quantum_and_a_turn(machine: Given) -> None:
    """After it nothing new begins for its stream: the quantum under way is stopped, the turn that runs is finished."""
    done = simulation(*machine)
    done.run()
    cancelled_s: dict[str, float] = {}
    after_s: dict[str, float] = defaultdict(float)
    for entry in done.log:
        if entry.what == "cancel":
            cancelled_s[entry.names[0]] = entry.at_s
        elif entry.what in ("turn", "quantum"):
            assert cancelled_s.keys().isdisjoint(entry.names)
        elif entry.what == "tokens" and entry.names[0] in cancelled_s:
            after_s[entry.names[0]] += entry.figures[0] / 25
    assert all(seconds <= QUANTUM_S for seconds in after_s.values())


def test_a_sound_that_a_cancel_finds_under_way_is_not_heard() -> None:
    """Wherever the cancel falls, the listener has what was sent before; now and then a sound more was made."""
    surplus_s = []
    for hundredths in range(60, 140, 2):
        done = simulation(CPU, [reply("a", 0.0, 6.0, cancel_s=hundredths / 100)])
        done.run()
        before_s = [e.figures[1] for e in done.log if e.what == "sound" and e.at_s < hundredths / 100]
        outcome = done.outcomes["a"]
        assert outcome.playback.sent_s == pytest.approx(sum(before_s))
        surplus_s.append(round(outcome.made_s - outcome.playback.sent_s, 6))
    assert 0.0 in surplus_s and 1.0 in surplus_s and max(surplus_s) <= HOP_S


def test_what_a_listener_that_hangs_up_has_cost_is_its_lead() -> None:
    """In the middle of a long reply that is a few seconds of sound, not all of it."""
    done = simulation(CPU, [reply("a", 0.0, 20.0, cancel_s=3.0)])
    done.run()
    outcome = done.outcomes["a"]
    heard_s = outcome.playback.heard_s(3.0)
    assert outcome.cancelled and done.streams == {} and 2.0 < heard_s < 3.0
    assert heard_s + 4.0 < outcome.made_s < heard_s + 5.0 + HOP_S + 0.1
    assert outcome.wasted_s == pytest.approx(outcome.made_s - heard_s)


@given(machines())
@few
def test_the_same_load_gives_the_same_events(machine: Given) -> None:
    """Nothing depends on chance or on the clock on the wall."""
    logs = []
    for _ in range(2):
        done = simulation(*machine)
        done.run()
        logs.append([str(entry) for entry in done.log])
    assert logs[0] == logs[1] and len(logs[0]) >= len(machine[1])
