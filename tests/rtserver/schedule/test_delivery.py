"""Sounds on their way to the listener."""

from __future__ import annotations

from rtserver.schedule.delivery import Delivery, Sound
from rtserver.schedule.playback import Playback
from rtserver.schedule.timings import Timings
from rtserver.schedule.waits import DUE_SHARE, LONGEST_HOLD_S

FIRST, SECOND = Sound(0.0, 0.4, 1.0), Sound(0.4, 1.0, 1.5)


def delivery(*, holds: bool = True) -> Delivery[Sound]:
    return Delivery(Playback(), Timings(opened=0.0), holds=holds)


def test_the_first_sound_is_kept_back_until_it_is_released() -> None:
    """Once; the others go out at once."""
    made = delivery()
    assert made.add(FIRST) == [] and made.keeps_back
    assert made.release() == [FIRST] and made.release() == [] and not made.keeps_back
    assert made.add(SECOND) == [SECOND]


def test_the_second_sound_takes_the_first_along() -> None:
    """In order."""
    made = delivery()
    made.add(FIRST)
    assert made.add(SECOND) == [FIRST, SECOND] and not made.keeps_back


def test_without_holding_every_sound_goes_out() -> None:
    """Also the first of what goes on after a crash, which does not begin the utterance."""
    assert delivery(holds=False).add(FIRST) == [FIRST]
    assert delivery().add(SECOND) == [SECOND]


def test_a_first_sound_goes_out_when_the_next_will_follow_it() -> None:
    """It may be heard for most of its length before the next one is there, and is kept back for a bounded time."""
    made = delivery()
    made.add(FIRST)
    assert made.release_at_s(1.3) == 1.3 - DUE_SHARE * FIRST.seconds
    assert made.release_at_s(9.0) == FIRST.made_s + LONGEST_HOLD_S


def test_the_playback_with_the_first_sound_is_a_guess_that_changes_nothing() -> None:
    """As if it had gone out when it was made, or at another time."""
    made = delivery()
    assert made.playback_with_first() is made.playback
    made.add(FIRST)
    assert made.playback_with_first().dry_at_s == 1.4 and made.playback_with_first(2.0).dry_at_s == 2.4
    assert not made.playback.begun


def test_gaps_are_counted_when_a_sound_goes_out() -> None:
    """The first is heard from 2.0 to 2.4; the second comes at 2.9."""
    timings = Timings(opened=0.0)
    made = Delivery[Sound](Playback(), timings, holds=True)
    made.add(FIRST)
    assert timings.first_made == 1.0 and timings.first_audio is None
    for sound, at_s in ((made.release()[0], 2.0), (made.add(SECOND)[0], 2.9)):
        made.sent(sound, at_s)
    assert timings.first_audio == 2.0 and round(timings.underrun, 6) == 0.5 and made.playback.gaps == 1
