"""Where an utterance's time went."""

from __future__ import annotations

import json

import pytest

from rtserver.schedule.timings import Timings


def test_nothing_said_has_no_first_sound() -> None:
    """Without text the wall time counts from the opening, and there is no time to a first sound."""
    assert Timings(opened=10.0).told(12.5) == {
        "talker": 0.0,
        "flow": 0.0,
        "vocoder": 0.0,
        "wall": 2.5,
        "text_starved": 0.0,
        "underrun": 0.0,
    }


def test_times_count_from_the_first_text() -> None:
    """The opening before the first text is nobody's wait: wall and first sound count from the text."""
    seconds = Timings(opened=10.0)
    seconds.text(13.0, idle=True)
    seconds.text(14.0, idle=False)
    seconds.audio(15.5, gap_s=0.0, dry_at_s=0.0)
    told = seconds.told(20.0)
    assert (told["wall"], told["ttfa"], told["text_wait"]) == (7.0, 2.5, 0.0)
    assert seconds.first_text == 13.0 and seconds.last_text == 14.0 and seconds.last_idle_text == 13.0


def test_the_first_sound_waits_for_text_for_work_and_for_its_turn() -> None:
    """Time to the first sound falls into waiting for enough text, computing, and waiting for a turn."""
    seconds = Timings(opened=0.0)
    seconds.text(1.0, idle=True)
    seconds.text(1.5, idle=True)  # the first sound was not possible without this
    seconds.text(1.8, idle=False)  # and possible without this
    seconds.talker, seconds.flow, seconds.vocoder = 0.25, 0.125, 0.0625
    seconds.audio(2.5, gap_s=0.0, dry_at_s=0.0)
    seconds.talker, seconds.flow = 5.0, 5.0  # later work is no part of the first sound's
    told = seconds.told(30.0)
    assert (told["ttfa"], told["text_wait"]) == (1.5, 0.5)
    assert told["queue"] == pytest.approx(1.5 - 0.5 - 0.4375)
    assert (told["talker"], told["flow"], told["vocoder"]) == (5.0, 5.0, 0.0625)


def test_waiting_for_a_turn_is_never_less_than_nothing() -> None:
    """Work that went on beside text that came does not make the queue negative."""
    seconds = Timings(opened=0.0)
    seconds.text(1.0, idle=True)
    seconds.talker = 3.0
    seconds.audio(2.0, gap_s=0.0, dry_at_s=0.0)
    assert seconds.told(3.0)["queue"] == 0.0


def test_text_after_the_first_sound_does_not_move_it() -> None:
    """What the first sound waited for is settled when it sounds."""
    seconds = Timings(opened=0.0)
    seconds.text(1.0, idle=True)
    seconds.audio(2.0, gap_s=0.0, dry_at_s=0.0)
    seconds.text(9.0, idle=True)
    seconds.audio(10.0, gap_s=5.0, dry_at_s=5.0)
    told = seconds.told(11.0)
    assert (told["ttfa"], told["text_wait"], told["queue"]) == (1.0, 0.0, 1.0)


def test_a_silence_is_blamed_on_text_that_came_too_late() -> None:
    """A gap is starvation when the text came after the listener ran dry, otherwise an underrun."""
    seconds = Timings(opened=0.0)
    seconds.text(1.0, idle=True)
    seconds.audio(2.0, gap_s=0.0, dry_at_s=0.0)
    seconds.audio(4.0, gap_s=0.5, dry_at_s=3.5)  # all text was there
    seconds.text(6.0, idle=True)
    seconds.audio(6.5, gap_s=1.5, dry_at_s=5.0)  # text came a second after the sound ended
    seconds.text(7.0, idle=True)
    seconds.audio(9.0, gap_s=0.25, dry_at_s=8.75)  # text was there before
    told = seconds.told(10.0)
    assert (told["text_starved"], told["underrun"]) == (1.5, 0.75)


def test_a_sequence_closed_too_late_starves_once() -> None:
    """After a late closing for want of text the next silence, and only that one, is starvation."""
    seconds = Timings(opened=0.0)
    seconds.text(1.0, idle=True)
    seconds.audio(2.0, gap_s=0.0, dry_at_s=0.0)
    seconds.starved_late = True
    seconds.audio(4.0, gap_s=0.5, dry_at_s=3.5)
    seconds.audio(6.0, gap_s=0.25, dry_at_s=5.75)
    told = seconds.told(10.0)
    assert (told["text_starved"], told["underrun"]) == (0.5, 0.25)


def test_a_record_goes_on_in_another_process() -> None:
    """A restored record, also one that went through JSON, tells the same and counts on."""
    seconds = Timings(opened=0.5)
    seconds.text(1.0, idle=True)
    seconds.talker = 0.25
    seconds.audio(2.0, gap_s=0.0, dry_at_s=0.0)
    restored = Timings.restore(json.loads(json.dumps(seconds.record())))
    assert restored == seconds and restored.told(5.0) == seconds.told(5.0)
    restored.audio(4.0, gap_s=0.5, dry_at_s=3.5)
    assert (restored.underrun, seconds.underrun) == (0.5, 0.0)


def test_a_record_of_other_fields_is_refused() -> None:
    """A field too many or too few is a TypeError."""
    record = Timings(opened=0.5).record()
    with pytest.raises(TypeError, match="patience"):
        Timings.restore({**record, "patience": 1.0})
    del record["opened"]
    with pytest.raises(TypeError, match="opened"):
        Timings.restore(record)


def test_preparing_is_told_and_is_no_queue() -> None:
    """The first sound waited for it; what it waited after that, beside the work, is the queue."""
    seconds = Timings(opened=1.0)
    seconds.text(1.0, idle=True)
    seconds.prepared(4.0)
    seconds.flow = 0.5
    seconds.audio(4.75, gap_s=0.0, dry_at_s=0.0)
    told = seconds.told(6.0)
    assert (told["prepare"], told["ttfa"], told["queue"]) == (3.0, 3.75, 0.25)


def test_text_after_preparing_waits_for_nothing_but_its_turn() -> None:
    """What was prepared before the text came does not count against the queue."""
    seconds = Timings(opened=1.0)
    seconds.prepared(4.0)
    seconds.text(10.0, idle=True)
    seconds.audio(11.0, gap_s=0.0, dry_at_s=0.0)
    told = seconds.told(12.0)
    assert (told["prepare"], told["ttfa"], told["queue"]) == (3.0, 1.0, 1.0)


def test_preparing_again_after_a_crash_is_not_told() -> None:
    """The first sound was out by then."""
    seconds = Timings(opened=1.0)
    seconds.audio(2.0, gap_s=0.0, dry_at_s=0.0)
    seconds.prepared(9.0)
    assert "prepare" not in seconds.told(10.0)


def test_a_client_that_does_not_read_makes_no_underrun() -> None:
    """Nor does it starve of text: it had its own reason to hear nothing, until it read again."""
    seconds = Timings(opened=1.0)
    seconds.audio(2.0, gap_s=0.0, dry_at_s=0.0)
    seconds.hold(True, 2.5)
    seconds.audio(5.0, gap_s=2.0, dry_at_s=3.0)  # was under way
    seconds.hold(False, 8.0)
    seconds.audio(8.5, gap_s=2.5, dry_at_s=6.0)
    assert (seconds.underrun, seconds.text_starved) == (0.0, 0.0)
    seconds.audio(12.0, gap_s=0.5, dry_at_s=11.5)
    assert (seconds.underrun, seconds.text_starved) == (0.5, 0.0)
