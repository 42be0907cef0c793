"""Where each part is heard, how fast, and what does not fit."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from rtserver.dubbing.cues import Part
from rtserver.dubbing.fit import Fit
from rtserver.dubbing.order import Order
from rtserver.dubbing.placement import place


def part(start_s: float, end_s: float) -> Part:
    return Part(1, 1, start_s, end_s, "a", "text")


def begins(*parts: tuple[float, float, float]) -> list[float]:
    """Of parts with start, end and length of speech."""
    return [one.begin_s for one in place((part(start, end), length) for start, end, length in parts)]


def test_a_part_begins_with_its_slot() -> None:
    """Also if the one before it runs over into the silence between them."""
    assert begins((1, 2, 0.9), (3, 4, 1.9), (5, 6, 1)) == [1, 3, 5]


def test_a_part_waits_for_one_that_runs_over() -> None:
    """And the next one for this one, until a silence takes up what is late."""
    assert begins((1, 2, 1.5), (2, 3, 1), (3, 4, 1), (6, 7, 1)) == [1, 2.5, 3.5, 6]


def test_slots_that_overlap_are_heard_at_once() -> None:
    """The file says so. A part after both waits for the longer one."""
    assert begins((1, 5, 4), (2, 3, 2), (5, 6, 1)) == [1, 2, 5]
    assert begins((1, 5, 4.5), (2, 3, 2), (5, 6, 1)) == [1, 2, 5.5]


def test_times_that_were_rounded_do_not_overlap() -> None:
    """Less than a tenth of a second means one after the other."""
    assert begins((1, 2.05, 1.5), (2, 3, 1)) == [1, 2.5]


def test_what_is_late_and_over_is_told() -> None:
    """By less than is heard is not."""
    one, two, three = place([(part(1, 2), 1.5), (part(2, 3), 0.9), (part(4, 5), 1.04)])
    assert (one.late_s, one.over_s, one.overflows) == (0, 0.5, True)
    assert two.late_s == 0.5 and two.over_s == pytest.approx(0.4) and two.overflows
    assert not three.overflows


@pytest.mark.parametrize(("speed", "instead"), [(0.5, 0.8), (0.8, None), (1.2, None), (1.5, None), (2.0, 1.5)])
def test_speech_is_neither_slower_nor_faster_than_is_pleasant(speed: float, instead: float | None) -> None:
    """The server would speak between .5 and 2."""
    assert Fit(0.8, 1.5).instead(speed) == instead


def test_a_slot_that_is_clearly_too_long_or_too_short_is_guessed() -> None:
    """The guess is right if its speech leaves silence in a long slot, or runs over a short one."""
    fit = Fit(0.8, 1.5)
    assert [fit.guess("Good morning, everybody.", slot_s) for slot_s in (0.5, 1.5, 4)] == [1.5, None, 0.8]
    assert [fit.guess("早上好，大家好。", slot_s) for slot_s in (0.5, 1.5, 4)] == [1.5, None, 0.8]
    assert [fit.guessed_right(0.8, length_s, 2) for length_s in (1.9, 2.1)] == [True, False]
    assert [fit.guessed_right(1.5, length_s, 2) for length_s in (1.9, 2.1)] == [False, True]


def test_the_server_is_asked_for_a_length_that_it_takes() -> None:
    """A slot may be shorter."""
    assert Fit().target_s(0.02) == 0.1 and Fit().target_s(2.5) == 2.5


def test_each_field_of_an_order_makes_another_key() -> None:
    """So what was kept is only used for the same speech."""
    order = Order("m", 24000, "v", "auto", "t", 1.0, 0, 0.8, 1.5)
    changes: list[dict[str, Any]] = [
        {field.name: "x" if field.type == "str" else 7} for field in dataclasses.fields(order)
    ]
    others = [dataclasses.replace(order, **change) for change in changes]
    assert order.key == Order("m", 24000, "v", "auto", "t", 1.0, 0, 0.8, 1.5).key
    assert len({order.key, *(other.key for other in others)}) == 10
