"""Whose turn it is, in simulated time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtserver.playback import Playback
from rtserver.schedule import (
    COMFORT_S,
    DUE_SHARE,
    FIRST_TEXT_PATIENCE_S,
    LONGEST_HOLD_S,
    STARVATION_MARGIN_S,
    TTFA_TARGET_S,
    Costs,
    Standing,
    Starvation,
    first_sound_at_s,
    may_work,
    may_work_at_s,
    most_urgent,
    quanta_to_send,
    urgency,
)


def standing(lead_s: float | None = None, **change: object) -> Standing:
    """At time 10; `lead_s` None: nothing was sent yet, and the text came now."""
    playback = Playback()
    if lead_s is not None:
        playback.sent(2.0 + lead_s, 8.0)
    return replace(Standing(playback, 10.0, 0.0, "realtime", 5.0, False), **change)  # type: ignore[arg-type]


def test_a_newcomer_goes_before_those_with_slack_and_behind_the_nearly_dry() -> None:
    """Deadlines order: dry soon, the first sound's target, slack; batch work is last even when it is late."""
    order = most_urgent(
        [
            (urgency(standing(3.0), 0.2), "slack"),
            (urgency(standing(None, service_class="batch", since_s=0.0), 0.2), "batch"),
            (urgency(standing(), 0.2), "new"),
            (urgency(standing(0.1), 0.2), "nearly dry"),
        ],
        count=4,
    )
    assert order == ["nearly dry", "new", "slack", "batch"]


def test_urgency_counts_what_the_work_takes_and_what_is_on_its_way() -> None:
    """A dearer hop must begin earlier; tokens that are there already give time."""
    assert urgency(standing(1.0), 0.5) < urgency(standing(1.0), 0.1)
    assert urgency(standing(1.0), 0.1) < urgency(standing(1.0), 0.1, ahead_s=0.4)
    batch, due_s = urgency(standing(), 0.1)
    assert not batch and due_s == pytest.approx(10.0 + TTFA_TARGET_S - 0.1)


def test_work_stops_at_the_lead_and_goes_on_in_time() -> None:
    """Beyond max_lead_s, or while held, there is no work; the time to look again is exact."""
    full = standing(5.0)
    assert not may_work(full, 10.0) and may_work_at_s(full) == pytest.approx(10.0)
    assert may_work(full, 10.01)
    assert not may_work(standing(4.5), 10.0, ahead_s=0.6)
    assert not may_work(standing(0.0, held=True), 10.0) and may_work_at_s(standing(0.0, held=True)) is None
    assert may_work(standing(1000.0, max_lead_s=None), 10.0)


def test_the_talker_keeps_room_for_newcomers() -> None:
    """With all places taken, those with time wait; a newcomer and one that is short go at once."""
    waiting = [
        (urgency(s, 0.1), s, name)
        for name, s in (
            ("rich", standing(4.0)),
            ("richer", standing(4.5)),
            ("short", standing(COMFORT_S / 2)),
            ("new", standing()),
            ("covered", standing(COMFORT_S / 2, unvoiced_s=COMFORT_S)),
        )
    ]
    assert quanta_to_send(waiting, 2, 2, 10.0) == ["new", "short"]
    assert quanta_to_send(waiting, 0, 3, 10.0) == ["new", "short", "covered"]


def test_starvation_waits_for_the_slack_then_closes_in_time() -> None:
    """A listener with audio is kept until just before it is over; before the first sound the text may pause."""
    playing = standing(3.0).playback
    starvation = Starvation.of(playing, last_text_s=9.0, cost_s=0.4)
    assert starvation.close_at_s == pytest.approx(13.0 - 0.4 - STARVATION_MARGIN_S)
    assert starvation.ask_at_s < starvation.close_at_s
    assert Starvation.of(Playback(), 9.0, 0.4).close_at_s == 9.0 + FIRST_TEXT_PATIENCE_S


def test_text_that_comes_to_a_dry_listener_may_pause_too() -> None:
    """After a pause single words are not spoken one by one."""
    dry = standing(0.0).playback
    assert Starvation.of(dry, last_text_s=12.0, cost_s=0.4).close_at_s == 12.0 + FIRST_TEXT_PATIENCE_S


def test_costs_follow_what_was_seen() -> None:
    """Averages move slowly; unknown sizes are predicted from the nearest one; unknown stages cost nothing yet."""
    costs = Costs()
    assert costs.predict("step", 50) == 0.0
    costs.note("step", 50, 0.010)
    assert costs.predict("step", 48) == 0.010 and costs.predict("step", 100) == pytest.approx(0.020)
    assert costs.predict("step", 20) == 0.010 and costs.predict("quantum", 25) == 0.0
    for _ in range(50):
        costs.note("step", 50, 0.030)
    assert costs.predict("step", 50) == pytest.approx(0.030, rel=0.01)


@dataclass
class Stream:
    """A simulated utterance: hops of `hop_s` seconds that take `steps` steps each."""

    since_s: float
    hops: int
    playback: Playback = field(default_factory=Playback)
    step: int = 0
    first_s: float | None = None

    @property
    def standing(self) -> Standing:
        return Standing(self.playback, self.since_s, 0.0, "realtime", 5.0, False)


HOP_S, STEPS, STEP_S, VOCODER_S = 1.0, 10, 0.017, 0.06


def simulate(streams: list[Stream], until_s: float) -> None:
    """One machine, one step at a time, always for the most urgent."""
    now_s = 0.0
    while now_s < until_s:
        ready = [s for s in streams if s.since_s <= now_s and s.hops and may_work(s.standing, now_s)]
        chosen = most_urgent([(urgency(s.standing, (STEPS - s.step) * STEP_S + VOCODER_S), s) for s in ready], count=1)
        if not chosen:
            now_s += 0.005
            continue
        (stream,) = chosen
        now_s += STEP_S
        stream.step += 1
        if stream.step == STEPS:
            now_s += VOCODER_S
            stream.step, stream.hops = 0, stream.hops - 1
            stream.first_s = now_s if stream.first_s is None else stream.first_s
            stream.playback.sent(HOP_S, now_s)


@given(starts=st.lists(st.floats(0, 20), min_size=4, max_size=4))
def test_four_streams_on_one_machine_never_run_dry(starts: list[float]) -> None:
    """At 92 % load, whenever they begin, nobody hears a gap, and all have begun within the time of all first hops."""
    streams = [Stream(start_s, hops=30) for start_s in starts]
    simulate(streams, 60)
    assert [s.playback.gaps for s in streams] == [0] * 4
    hop_s = STEPS * STEP_S + VOCODER_S
    assert all(s.first_s is not None and s.first_s - s.since_s <= 4 * hop_s + VOCODER_S + STEP_S for s in streams)


def test_a_newcomer_is_not_behind_those_with_slack() -> None:
    """With three leads built up, a fourth hears its first sound as if it were alone, but for a step and a vocoder."""
    streams = [Stream(0.0, hops=30) for _ in range(3)] + [Stream(12.0, hops=3)]
    simulate(streams, 20)
    alone_s = STEPS * STEP_S + VOCODER_S
    first_s = streams[3].first_s
    assert first_s is not None and first_s - 12.0 <= alone_s + STEP_S + VOCODER_S + 0.005


def test_a_first_sound_waits_for_the_one_behind_it() -> None:
    """It begins at once when the next is due in time, later when that would leave silence, and never much later."""
    assert first_sound_at_s(made_s=10.0, audio_s=0.4, next_due_s=10.0 + DUE_SHARE * 0.4) == pytest.approx(10.0)
    assert first_sound_at_s(10.0, 0.4, 10.5) == pytest.approx(10.5 - DUE_SHARE * 0.4)
    assert first_sound_at_s(10.0, 0.4, 99.0) == 10.0 + LONGEST_HOLD_S


def test_cautious_predictions_add_what_work_deviates() -> None:
    """Work that always takes the same has nothing to add; work that varies has."""
    steady, varying = Costs(), Costs()
    for i in range(50):
        steady.note("quantum", 15, 0.1)
        varying.note("quantum", 15, 0.05 if i % 2 else 0.15)
    assert steady.predict("quantum", 15, 2.0) == pytest.approx(0.1)
    assert varying.predict("quantum", 15) == pytest.approx(0.1, abs=0.02)
    assert 0.15 < varying.predict("quantum", 15, 2.0) < 0.25
