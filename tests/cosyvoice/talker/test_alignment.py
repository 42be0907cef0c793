"""The online best path: the same as over all slots at once, at bounded cost, while phonemes still come."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cosyvoice.talker.aligner import best_path
from cosyvoice.talker.alignment import OnlineAlignment


def slots_of(classes: list[int], count: int = 8, sure: float = 0.9) -> NDArray[np.float32]:
    """Log-probabilities of slots that are `sure` of these classes [slots, count]."""
    probabilities = np.full((len(classes), count), (1 - sure) / (count - 1), np.float32)
    probabilities[np.arange(len(classes)), classes] = sure
    return np.log(probabilities)


def spoken(seed: int, phonemes: int) -> tuple[list[int], NDArray[np.float32]]:
    """Random phonemes and slots that say them with pauses between, not always clearly."""
    draw = np.random.default_rng(seed)
    said = [int(i) for i in draw.integers(1, 8, phonemes)]
    classes = [0]
    for phoneme in said:
        classes += [phoneme] * int(draw.integers(1, 3)) + [0] * int(draw.integers(1, 5))
    slots = slots_of(classes, sure=0.8) + draw.normal(0, 0.7, (len(classes), 8)).astype(np.float32)
    slots -= np.log(np.exp(slots).sum(1, keepdims=True))
    return said, slots


def whole(phonemes: list[int], slots: NDArray[np.float32]) -> list[int]:
    """The places over all slots at once, none of them settled before."""
    alignment = OnlineAlignment(settled_after_slots=len(slots))
    alignment.append(phonemes)
    alignment.advance(slots, final=True)
    return alignment.first_slots


def test_phonemes_begin_where_the_slots_say_them() -> None:
    """Each begins at the first slot of its stretch; a repeated one after a blank."""
    assert whole([1, 2, 2, 3], slots_of([0, 1, 1, 1, 0, 2, 0, 2, 3, 3])) == [1, 5, 7, 8]


def test_over_all_slots_it_is_the_best_path() -> None:
    """Each place lies no later than the middle of the phoneme's stretch on the offline path, and close to it."""
    phonemes, slots = spoken(3, 30)
    middles = best_path(slots, phonemes)
    assert middles is not None
    gaps = middles - whole(phonemes, slots)
    assert (gaps >= 0).all() and gaps.mean() < 1


@pytest.mark.parametrize("piece", [1, 7, 50])
def test_pieces_end_where_the_whole_does(piece: int) -> None:
    """However the slots are cut, all phonemes have their places at the end; little is kept meanwhile."""
    phonemes, slots = spoken(1, 120)
    alignment = OnlineAlignment(settled_after_slots=60)
    alignment.append(phonemes)
    for at in range(0, len(slots), piece):
        alignment.advance(slots[at : at + piece], final=at + piece >= len(slots))
        assert len(alignment._back) <= 60 and alignment._high - alignment._low < 241
    assert alignment.first_slots == whole(phonemes, slots) and alignment.slots == len(slots)


def test_what_is_settled_stays() -> None:
    """Places older than the bound never change, whatever comes."""
    phonemes, slots = spoken(2, 80)
    alignment = OnlineAlignment(settled_after_slots=20)
    alignment.append(phonemes)
    settled: list[int] = []
    for at in range(0, len(slots), 10):
        alignment.advance(slots[at : at + 10])
        assert alignment.first_slots[: len(settled)] == settled
        settled = [slot for slot in alignment.first_slots if slot < alignment.slots - 20]
    assert len(settled) > 60


def test_it_keeps_up_with_speech_that_is_not_clear() -> None:
    """A phoneme that the network misses does not hold the path back until the end shows that it was said."""
    classes = [0, 1, 0, 2, 0, 7, 0, 4, 0, 5, 0, 6, 0, 7]
    alignment = OnlineAlignment()
    alignment.append([1, 2, 3, 4, 5, 6, 7, 1, 2, 3])
    alignment.advance(slots_of(classes, sure=0.7))
    assert alignment.first_slots[3:] == [7, 9, 11, 13]


def test_phonemes_may_come_later() -> None:
    """The path waits in the last blank, and goes on when there is more to say; none known, none is placed."""
    alignment = OnlineAlignment()
    alignment.advance(slots_of([0, 0]))
    assert alignment.first_slots == []
    alignment.append([1, 2])
    alignment.advance(slots_of([1, 0, 2, 0, 0]))
    assert alignment.first_slots == [2, 4]
    alignment.append([2, 3])
    alignment.advance(slots_of([0, 2, 3]), final=True)
    assert alignment.first_slots == [2, 4, 8, 9]


def test_phonemes_that_do_not_fit_stay_without_a_place() -> None:
    """Speech that breaks off leaves the rest unplaced."""
    assert whole([1, 2, 3, 4, 5, 6], slots_of([1, 2])) == [0, 1]


def test_the_end_places_all_that_fits() -> None:
    """At the end a last phoneme that was not heard has been said all the same; before it, it may still come."""
    alignment = OnlineAlignment()
    alignment.append([1, 2])
    alignment.advance(slots_of([0, 1, 0, 0]))
    assert alignment.first_slots == [1]
    alignment.advance(slots_of([0]), final=True)
    assert len(alignment.first_slots) == 2


def test_the_blank_is_no_phoneme() -> None:
    """It cannot be said."""
    with pytest.raises(ValueError, match="expected phonemes, found 0"):
        OnlineAlignment().append([1, 0])
