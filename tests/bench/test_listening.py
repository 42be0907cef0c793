"""The arithmetic of a listener."""

from __future__ import annotations

import pytest

from bench.load.calls.listening import Listener


def listen(*frames: tuple[float, float]) -> Listener:
    listener = Listener()
    for at_s, seconds in frames:
        listener.frame(seconds, at_s)
    return listener


def test_frames_in_time_leave_no_deficit() -> None:
    """Each comes before the sound ahead of it ends."""
    listener = listen((10.0, 0.5), (10.4, 0.5), (10.5, 0.5))
    assert (listener.first_s, listener.last_s, listener.audio_s) == (10.0, 10.5, 1.5)
    assert listener.underruns == 0 and listener.deficit_s == 0.0 and listener.playback.gap_s == 0.0


def test_the_deficit_is_against_a_listener_that_never_waits() -> None:
    """Two gaps of one listener add up to the deficit of the other, which does not start anew after the first."""
    listener = listen((0.0, 1.0), (1.2, 1.0), (2.5, 1.0))
    assert listener.underruns == 2 and listener.playback.gap_s == pytest.approx(0.5)
    assert listener.deficit_s == pytest.approx(0.5)


def test_sound_that_catches_up_does_not_mend_the_worst() -> None:
    """The largest deficit counts, not the last."""
    listener = listen((0.0, 1.0), (1.3, 5.0), (1.4, 1.0))
    assert listener.deficit_s == pytest.approx(0.3) and listener.underruns == 1


def test_the_clock_makes_no_underrun() -> None:
    """A frame that is late by less than a thousandth of a second."""
    assert listen((0.0, 1.0), (1.0005, 1.0)).underruns == 0


def test_a_missing_frame_is_late() -> None:
    """Lateness is known before the frame comes; before the first frame nothing is late."""
    listener = Listener()
    assert listener.late_s(100.0) == 0.0
    listener.frame(1.0, 100.0)
    assert listener.late_s(100.5) == 0.0 and listener.late_s(103.0) == 2.0


def test_what_a_listener_that_turns_away_has_not_heard() -> None:
    """The sound that has come less the time that has passed since the first."""
    listener = listen((0.0, 2.0), (0.1, 3.0))
    assert listener.unheard_s(1.5) == pytest.approx(3.5) and listener.unheard_s(9.0) == 0.0
