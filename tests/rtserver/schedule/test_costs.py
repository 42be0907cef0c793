"""What work took, and what it is predicted to take."""

from __future__ import annotations

import pytest

from rtserver.schedule.costs import Costs, SoundYield


def test_costs_follow_what_was_seen() -> None:
    """Averages move slowly; unknown sizes are predicted from the nearest one; unknown stages cost nothing yet."""
    costs = Costs()
    assert costs.predict("step", 50) == 0.0
    costs.note("step", 50, 0.010)
    assert costs.predict("step", 48) == 0.010 and costs.predict("step", 100) == pytest.approx(0.020)
    assert costs.predict("step", 20) == 0.010 and costs.predict("quantum", 25) == 0.0
    for _ in range(50):
        costs.note("step", 50, 0.030)
    assert costs.predict("step", 50) == pytest.approx(0.030, rel=0.01)


def test_cautious_predictions_add_what_work_deviates() -> None:
    """Work that always takes the same has nothing to add; work that varies has."""
    steady, varying = Costs(), Costs()
    for i in range(50):
        steady.note("quantum", 15, 0.1)
        varying.note("quantum", 15, 0.05 if i % 2 else 0.15)
    assert steady.predict("quantum", 15, 2.0) == pytest.approx(0.1)
    assert varying.predict("quantum", 15) == pytest.approx(0.1, abs=0.02)
    assert 0.15 < varying.predict("quantum", 15, 2.0) < 0.25


def test_a_machine_that_gets_slower_gets_slower_for_batches_too() -> None:
    """Sizes that were measured beforehand keep their relation to those that are worked with, until they are, too."""
    costs = Costs(weight=1.0)
    costs.calibrate("step", 50, 0.010)
    costs.calibrate("step", 100, 0.012)
    costs.note("step", 50, 0.020)
    assert costs.predict("step", 50) == pytest.approx(0.020) and costs.predict("step", 100) == pytest.approx(0.024)
    costs.note("step", 100, 0.030)
    costs.note("step", 50, 0.010)
    assert costs.predict("step", 100) == pytest.approx(0.030)


def test_the_sound_of_a_chunk_follows_what_hops_gave() -> None:
    """A second until something is known, then what all lately gave for their frames, never more than a second."""
    lately = SoundYield()
    assert lately.sound_s(50, 1.0) == 1.0
    lately.note(50, 0.4)
    assert lately.sound_s(50, 1.0) == pytest.approx(0.4)
    for _ in range(200):
        for frames, sound_s in ((50, 0.4), (50, 1.0), (26, 0.6)):
            lately.note(frames, sound_s)
    assert lately.sound_s(50, 1.0) == pytest.approx(2.0 / 126 * 50, rel=0.02)
    for _ in range(500):
        lately.note(50, 1.2)
    assert lately.sound_s(50, 1.0) == 1.0
