"""What a listener has heard, in seconds that are given."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtserver.schedule.playback import Playback


def test_nothing_is_heard_before_the_first_sound() -> None:
    """Time alone plays nothing, and there is no lead."""
    playback = Playback()
    assert not playback.begun
    assert playback.heard_s(100.0) == 0.0 and playback.lead_s(100.0) == 0.0


def test_sound_is_heard_in_real_time_from_its_first_sample() -> None:
    """The first sound is no gap; the lead is what is left, and is over at dry_at_s."""
    playback = Playback()
    assert playback.sent(2.0, 10.0) == 0.0
    assert playback.begun
    assert [playback.heard_s(now_s) for now_s in (10.0, 10.5, 12.0, 99.0)] == [0.0, 0.5, 2.0, 2.0]
    assert [playback.lead_s(now_s) for now_s in (10.0, 10.5, 12.0, 99.0)] == [2.0, 1.5, 0.0, 0.0]
    assert playback.dry_at_s == 12.0


def test_sound_in_time_leaves_no_gap() -> None:
    """Sent before the listener runs dry, or at that very moment, it plays on."""
    playback = Playback()
    playback.sent(1.0, 10.0)
    assert playback.sent(1.0, 10.4) == 0.0
    assert playback.sent(1.0, 12.0) == 0.0
    assert (playback.gaps, playback.gap_s) == (0, 0.0)
    assert playback.dry_at_s == 13.0 and playback.heard_s(12.5) == 2.5


def test_a_gap_is_counted_when_the_next_sound_comes() -> None:
    """The listener stood still from where it ran dry, and goes on with the new sound."""
    playback = Playback()
    playback.sent(1.0, 10.0)
    assert playback.gaps == 0
    assert playback.sent(2.0, 11.5) == 0.5
    assert playback.sent(1.0, 14.5) == 1.0
    assert (playback.gaps, playback.gap_s) == (2, 1.5)
    assert playback.heard_s(14.5) == 3.0 and playback.dry_at_s == 15.5


def test_a_report_moves_the_listener() -> None:
    """From there it plays on in real time; a listener behind the estimate has more lead."""
    playback = Playback()
    playback.sent(2.0, 10.0)
    assert not playback.reported
    playback.report(0.25, 11.0)
    assert playback.reported
    assert playback.heard_s(11.0) == 0.25 and playback.heard_s(11.5) == 0.75
    assert playback.lead_s(11.0) == 1.75 and playback.dry_at_s == 12.75


@pytest.mark.parametrize(("position_s", "heard_s"), [(0.0, 0.0), (0.5, 0.5), (2.0, 2.0), (1e9, 2.0)])
def test_a_report_is_kept_within_what_was_sent(position_s: float, heard_s: float) -> None:
    """Nobody hears what was not sent."""
    playback = Playback()
    playback.sent(2.0, 10.0)
    playback.report(position_s, 12.0)
    assert playback.heard_s(12.0) == heard_s and playback.dry_at_s == 14.0 - heard_s


@pytest.mark.parametrize("position_s", [2.0, 4.0, 1e9])
def test_nobody_hears_faster_than_time_passes(position_s: float) -> None:
    """A report of more neither takes away the listener's lead nor makes it the most urgent one: of what was sent half a
    second ago, a little more than half a second is heard."""
    playback = Playback()
    playback.sent(4.0, 10.0)
    playback.report(position_s, 10.5)
    assert playback.heard_s(10.5) == 0.75 and playback.lead_s(10.5) == 3.25
    playback.sent(1.0, 11.0)
    assert playback.gaps == 0


@pytest.mark.parametrize("position_s", [-1.0, float("nan"), float("inf"), float("-inf")])
def test_what_is_no_position_counts_for_nothing(position_s: float) -> None:
    """The listener is where it was."""
    playback = Playback()
    playback.sent(2.0, 10.0)
    playback.report(position_s, 10.5)
    assert not playback.reported and playback.heard_s(10.5) == 0.5


def test_a_listener_that_reports_it_is_through_stands_still_from_then() -> None:
    """The gap counts from its own word, not from the estimate."""
    playback = Playback()
    playback.sent(2.0, 10.0)
    playback.report(2.0, 11.75)
    assert playback.sent(1.0, 12.25) == 0.5
    assert (playback.gaps, playback.heard_s(12.25)) == (1, 2.0)


def test_a_report_before_the_first_sound_changes_nothing_but_the_source() -> None:
    """Playing begins with the first sound all the same, and it is no gap."""
    playback = Playback()
    playback.report(5.0, 1.0)
    assert playback.reported and playback.heard_s(3.0) == 0.0
    assert playback.sent(1.0, 10.0) == 0.0
    assert playback.gaps == 0 and playback.heard_s(10.5) == 0.5


def test_time_that_stands_before_the_last_word_hears_nothing_more() -> None:
    """A clock read a moment early does not take back what was heard."""
    playback = Playback()
    playback.sent(2.0, 10.0)
    playback.report(1.0, 11.0)
    assert playback.heard_s(10.9) == 1.0


ACTIONS = st.lists(
    st.tuples(st.sampled_from(["sent", "report"]), st.floats(0.001, 5), st.floats(0, 5)), min_size=1, max_size=30
)


@settings(deadline=None)
@given(ACTIONS)
def test_heard_and_lead_are_always_all_that_was_sent(actions: list[tuple[str, float, float]]) -> None:
    """Whatever is sent and reported: 0 <= heard <= sent, heard grows with time, and a gap is counted once for each
    sound that came too late."""
    playback, now_s, gaps, gap_s = Playback(), 0.0, 0, 0.0
    for kind, seconds, later_s in actions:
        heard_s = playback.heard_s(now_s)
        now_s += later_s
        assert heard_s <= playback.heard_s(now_s) <= playback.sent_s
        assert playback.lead_s(now_s) + playback.heard_s(now_s) == pytest.approx(playback.sent_s)
        if kind == "sent":
            stood_s = playback.sent(seconds, now_s)
            gaps, gap_s = gaps + (stood_s > 0), gap_s + stood_s
        else:
            playback.report(seconds, now_s)
    assert (playback.gaps, playback.gap_s) == (gaps, gap_s)
    assert playback.lead_s(max(now_s, playback.dry_at_s)) == pytest.approx(0.0, abs=1e-9)
