"""When a first sound and a sequence without text are waited for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rtserver.schedule.playback import Playback
from rtserver.schedule.waits import (
    DUE_SHARE,
    DUE_SHARE_ALONE,
    FIRST_TEXT_PATIENCE_S,
    LATE_TEXT_S,
    LONGEST_HOLD_S,
    SLOW_FIRST_SOUND_S,
    STARVATION_MARGIN_S,
    Starvation,
    TextWait,
    first_sound_at_s,
)
from tests.rtserver.schedule.standings import standing


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


def test_a_first_sound_waits_for_the_one_behind_it() -> None:
    """It begins at once when the next is due in time, later when that would leave silence, and never much later."""
    assert first_sound_at_s(made_s=10.0, audio_s=0.4, next_due_s=10.0 + DUE_SHARE * 0.4) == pytest.approx(10.0)
    assert first_sound_at_s(10.0, 0.4, 10.5) == pytest.approx(10.5 - DUE_SHARE * 0.4)
    assert first_sound_at_s(10.0, 0.4, 99.0) == 10.0 + LONGEST_HOLD_S


def test_alone_a_first_sound_waits_less() -> None:
    """Nobody else's work can make the next one late."""
    assert first_sound_at_s(10.0, 0.4, 10.5, alone=True) == pytest.approx(10.5 - DUE_SHARE_ALONE * 0.4)
    assert DUE_SHARE < DUE_SHARE_ALONE < 1


# -- slow writers -----------------------------------------------------------------------------------------------------


def slow(playback: Playback, last_text_s: float = 12.0, **change: Any) -> Starvation:
    """Of a writer who began at 11; the listener's sound lasts until 13 if `playback` has begun."""
    wait = TextWait(begun_s=11.0, text_at_s=12.5, sound_at_s=14.0, has_spoken=True)
    return Starvation.of_slow(playback, last_text_s, 0.4, replace(wait, **change))


def test_a_slow_writers_sequence_is_closed_when_its_text_would_come_too_late() -> None:
    """The rest of what is written is spoken before the listener runs dry; too late for that, at once."""
    playing = standing(3.0).playback
    assert slow(playing).close_at_s == pytest.approx(13.0 - 0.4 - STARVATION_MARGIN_S)
    assert slow(playing, last_text_s=12.9).close_at_s < 12.9


def test_it_stays_open_while_its_text_comes_in_time() -> None:
    """A little longer than predicted, and never longer than the patience for a writer who has stopped."""
    playing = standing(3.0).playback
    assert slow(playing, sound_at_s=13.0).close_at_s == 12.5 + LATE_TEXT_S
    assert slow(playing, sound_at_s=13.0, text_at_s=20.0).close_at_s == 12.0 + FIRST_TEXT_PATIENCE_S


def test_a_few_words_that_come_to_a_dry_listener_wait_for_more() -> None:
    """Closing would bring only them. Every word is asked for at once."""
    few = slow(standing(0.0).playback, has_spoken=False)
    assert (few.ask_at_s, few.close_at_s) == (12.0, 12.0 + FIRST_TEXT_PATIENCE_S)


def test_the_first_words_of_a_slow_writer_sound_in_time() -> None:
    """So that their sound goes out SLOW_FIRST_SOUND_S after the first text, unless the writer has stopped."""
    assert slow(Playback()).close_at_s == pytest.approx(11.0 + SLOW_FIRST_SOUND_S - 0.4)
    assert slow(Playback(), last_text_s=11.1).close_at_s == pytest.approx(11.1 + FIRST_TEXT_PATIENCE_S)


def test_an_utterance_that_rests_is_closed_before() -> None:
    """Then too it is asked for words."""
    rests = slow(standing(3.0).playback).by(12.0)
    assert (rests.close_at_s, rests.offers) == (12.0, True)
