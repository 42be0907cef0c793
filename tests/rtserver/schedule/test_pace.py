"""How fast an utterance speaks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtserver.schedule.pace import Pace


def test_a_speed_that_was_asked_for_is_known_at_once() -> None:
    """It stays, whatever the length, and Done tells nothing of it."""
    pace = Pace(1.25, None)
    assert pace.known and pace.speed == 1.25
    pace.fit(9.0)
    assert pace.speed == 1.25 and pace.told() == {}


def test_a_target_waits_for_the_length() -> None:
    """Until the length is known there is no speed; then it is the ratio, and both are told."""
    pace = Pace(1.75, 4.0)
    assert not pace.known and pace.speed == 1.0
    pace.fit(3.0)
    assert pace.known and pace.speed == 0.75
    assert pace.told() == {"target": 4.0, "speed": 0.75}


@pytest.mark.parametrize(("length_s", "speed"), [(1.9, 0.5), (2.0, 0.5), (8.0, 2.0), (8.1, 2.0), (0.0, 0.5)])
def test_a_target_stays_within_the_bounds_of_speed(length_s: float, speed: float) -> None:
    """A target that is too far away is missed, and the speed tells by how much."""
    pace = Pace(1.0, 4.0)
    pace.fit(length_s)
    assert pace.speed == speed


@given(st.floats(0.01, 1000), st.floats(0.01, 1000))
def test_within_the_bounds_a_target_is_met(length_s: float, target_s: float) -> None:
    """The length at that speed is the target, or the speed is at a bound."""
    pace = Pace(1.0, target_s)
    pace.fit(length_s)
    assert length_s / pace.speed == pytest.approx(target_s) or pace.speed in (0.5, 2.0)


@pytest.mark.parametrize(
    ("speed", "target_s", "message"),
    [
        (0.49, None, "a speed of 0.5 to 2.0, found 0.49"),
        (float("nan"), None, "found nan"),
        (2.1, 3.0, "found 2.1"),
        (1.0, 0.0, "target_s: expected a length in seconds, found 0.0"),
        (1.0, -1.0, "found -1.0"),
        (1.0, float("inf"), "found inf"),
        (1.0, float("nan"), "found nan"),
    ],
)
def test_what_cannot_be_is_refused(speed: float, target_s: float | None, message: str) -> None:
    """A speed outside its bounds, also beside a target, and a target that is no length."""
    with pytest.raises(ValueError, match=message):
        Pace(speed, target_s)
