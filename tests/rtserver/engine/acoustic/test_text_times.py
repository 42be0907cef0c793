"""When each text id begins: told once, in order, with the sound it lies in."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from rtserver.engine.acoustic.text_times import Place, TextTimes

SLOT_S = 0.02
SPACE = 9


def slots_of(classes: list[int]) -> NDArray[np.float32]:
    """Log-probabilities of slots that are sure of these classes [slots, 10]."""
    probabilities = np.full((len(classes), 10), 0.1 / 9, np.float32)
    probabilities[np.arange(len(classes)), classes] = 0.9
    return np.log(probabilities)


def times_of(ids: list[int], *, shift_s: float = 0.0, told: int = 0) -> TextTimes:
    times = TextTimes(set(range(1, 9)), slot_s=SLOT_S, shift_s=shift_s, told=told)
    times.feed(ids)
    return times


def place(start_s: float, end_s: float, *, sequence_s: float = 0.0, speed: float = 1.0, final: bool = False) -> Place:
    return Place(sequence_s, start_s, end_s, speed, final)


def test_an_id_begins_where_its_phoneme_does() -> None:
    """In the middle of the slot, shifted as the checkpoint says."""
    times = times_of([1, 2], shift_s=0.04)
    assert times.hear(2, slots_of([0, 1, 0, 2, 0, 0]), place(0.0, 0.12, final=True)) == pytest.approx([0.07, 0.11])


def test_an_id_is_told_with_the_sound_it_begins_in() -> None:
    """What is found but begins behind the sound waits for the next, which does not tell what was told."""
    times = times_of([1, 2, 3], shift_s=0.04)
    assert times.hear(3, slots_of([1, 0, 2, 0]), place(0.0, 0.08)) == pytest.approx([0.05])
    assert times.hear(3, slots_of([0, 0, 3, 0]), place(0.08, 0.16, final=True)) == pytest.approx([0.09, 0.16])
    assert times.told == 3


def test_a_time_that_turns_out_late_lies_in_the_sound_it_comes_with() -> None:
    """It is never before the sound that is told with it."""
    times = times_of([1, 2])
    assert times.hear(2, slots_of([1, 0, 0, 0]), place(0.0, 0.08)) == pytest.approx([0.01])
    told = times.hear(2, np.concatenate([slots_of([2]), slots_of([0, 0])]), place(0.16, 0.2, final=True))
    assert told == [0.16]


def test_ids_without_a_sound_follow_the_sound_before_them() -> None:
    """A space begins where the next sound does, or before a pause when the last sound has ended; the first at once."""
    times = times_of([SPACE, 1, SPACE, 2, SPACE, 3])
    classes = [0, 1, 0, 2, *[0] * 20, 3, 0]
    found = times.hear(6, slots_of(classes), place(0.0, 0.6, final=True))
    assert found == pytest.approx([0.0, 0.03, 0.07, 0.07, 0.22, 0.49])


def test_speed_shortens_the_sound_of_a_slot() -> None:
    """Times are those of the sound that is heard."""
    times = times_of([1, 2], shift_s=0.04)
    slots = slots_of([0, 1, 0, 2, 0, 0])
    assert times.hear(2, slots, place(0.0, 0.06, speed=2.0, final=True)) == pytest.approx([0.035, 0.055])


def test_text_may_come_while_it_is_spoken() -> None:
    """The ids of a sequence that are not known yet have no time; they get it when they are."""
    times = times_of([1])
    assert times.hear(1, slots_of([1, 0]), place(0.0, 0.04)) == pytest.approx([0.01])
    times.feed([2])
    assert times.hear(2, slots_of([2, 0]), place(0.04, 0.08, final=True)) == pytest.approx([0.05])


def test_a_sequence_begins_behind_the_one_before() -> None:
    """Its slots count from its own beginning, and its ids from the first of them."""
    times = times_of([1, 2, 2, 3])
    assert times.hear(2, slots_of([1, 2, 0]), place(0.0, 0.06, final=True)) == pytest.approx([0.01, 0.03])
    times.begin(2)
    found = times.hear(4, slots_of([0, 2, 0, 3]), place(0.5, 0.58, sequence_s=0.5, final=True))
    assert found == pytest.approx([0.53, 0.57])


def test_ids_that_were_not_said_end_with_their_sequence() -> None:
    """Of a sequence that breaks off the rest begins at its end; of one without sound, where the next begins."""
    times = times_of([1, 2, 3, 4, 5])
    assert times.hear(3, slots_of([1]), place(0.0, 0.02, final=True)) == pytest.approx([0.01, 0.02, 0.02])
    times.begin(4)
    assert times.hear(5, slots_of([5, 0]), place(0.1, 0.14, sequence_s=0.1, final=True)) == pytest.approx([0.1, 0.11])


def test_another_process_tells_what_is_not_told() -> None:
    """With how many ids had a time it goes on behind them, though it reads their slots again."""
    slots = slots_of([1, 0, 2, 0, 3, 0])
    first = times_of([1, 2, 3])
    first.hear(3, slots[:4], place(0.0, 0.08))
    assert first.told == 2
    again = times_of([1, 2, 3], told=first.told)
    assert again.hear(3, slots, place(0.08, 0.12, final=True)) == pytest.approx([0.09])
