"""How many streams a device carries."""

from __future__ import annotations

import math

import pytest

from rtserver.schedule.capacity import MOST_UTILISATION, Figures, speaking_at_once


def figures(*hops_s: float) -> Figures:
    """Of hops of a second."""
    return Figures(hops_s, 1.0, 0.1, 0.2, 10)


def test_a_machine_that_gains_nothing_carries_as_many_as_fit_one_after_the_other() -> None:
    """Whether it has measured one batch size or more."""
    assert figures(0.225).streams_in(0.9) == pytest.approx(4.0)
    assert figures(0.225, 0.45, 0.9).streams_in(0.9) == pytest.approx(4.0)
    assert figures(2.0).streams == pytest.approx(MOST_UTILISATION / 2)


def test_batches_carry_more() -> None:
    """Between two sizes that were measured the cost grows evenly; beyond the largest it is in proportion."""
    assert figures(0.1, 0.1, 0.1, 0.1).streams_in(0.9) == pytest.approx(72.0)
    assert figures(0.1, 0.2, 0.8, 1.0).streams_in(0.9) == pytest.approx(6.0)
    assert figures().streams == math.inf and figures(0.0).streams == math.inf


def test_first_sounds_come_in_turn() -> None:
    """Behind a hop that runs, the sampling, and the first sounds of those that came before."""
    assert figures(0.2).first_sound_s(0) == pytest.approx(0.2 + 0.2 + 0.1)
    assert figures(0.2).first_sound_s(5) == pytest.approx(0.4 + 0.6)
    assert figures().first_sound_s(5) == 0.0


def test_first_sounds_that_gain_by_batches_come_sooner() -> None:
    """As much as hops do; beyond the largest batch that was measured they come in turn."""
    gains = figures(0.2, 0.3, 0.4)
    assert gains.first_sound_s(0) == pytest.approx(0.2 + 0.2 + 0.1)
    assert gains.first_sound_s(1) == pytest.approx(0.4 + 0.1 * 1.5)
    assert gains.first_sound_s(2) == pytest.approx(0.4 + 0.1 * 1.75)
    assert gains.first_sound_s(7) == pytest.approx(0.4 + 8 * 0.1 * 0.5)


def test_conversations_that_share_places_rarely_all_speak() -> None:
    """One that always speaks takes a place; many that seldom do take little more than their mean; never more places
    than there are conversations."""
    assert speaking_at_once([1.0]) == 1.0 and speaking_at_once([]) == 0.0
    assert speaking_at_once([0.5]) == 1.0
    assert speaking_at_once([0.5] * 4) == pytest.approx(4.0)
    assert speaking_at_once([0.1] * 100) == pytest.approx(16.0)
