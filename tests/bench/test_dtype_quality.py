"""When a way of calculating counts as worse."""

from __future__ import annotations

import pytest

from bench.model.dtype_quality import BASE, OTHER_SEEDS, Heard, Loss, error_loss, mos_loss, summary

UNITS = [10] * 4
FIRST = Heard([1, 0, 2, 1], UNITS, [3.8, 4.0, 3.6, 3.8])
OTHER = Heard([0, 2, 1, 0], UNITS, [3.9, 3.8, 3.9, 3.9])
ALIKE = Heard([1, 0, 2, 1], UNITS, [3.8, 4.0, 3.6, 3.7])
WORSE = Heard([4, 3, 6, 4], UNITS, [3.1, 3.3, 3.0, 3.2])


def test_losses_are_differences_by_sentence() -> None:
    """Errors per unit of text, and points of naturalness."""
    assert error_loss(FIRST, WORSE).mean == pytest.approx(13 / 40)
    assert mos_loss(FIRST, WORSE).mean == pytest.approx(0.65)
    assert mos_loss(FIRST, FIRST) == Loss(0.0, 0.0)


@pytest.mark.parametrize(
    ("loss", "worse"),
    [(Loss(0.3, 0.1), True), (Loss(0.19, 0.01), False), (Loss(0.3, 0.16), False), (Loss(-0.5, 0.1), False)],
)
def test_a_loss_must_be_more_than_chance(loss: Loss, worse: bool) -> None:
    """More than two runs in float32 differ, and more than two standard errors of its own."""
    assert loss.is_worse_than(Loss(-0.2, 0.1)) is worse


def test_each_way_is_judged() -> None:
    """The other seeds say how far chance goes. Without them nothing is judged."""
    found = summary({BASE: FIRST, OTHER_SEEDS: OTHER, "flow bf16": ALIKE, "talker bf16": WORSE})
    assert found[BASE] == {"error_rate": 0.1, "mos": 3.8}
    assert "mos_worse" not in found[OTHER_SEEDS]
    assert (found["flow bf16"]["error_worse"], found["flow bf16"]["mos_worse"]) == (False, False)
    assert (found["talker bf16"]["error_worse"], found["talker bf16"]["mos_worse"]) == (True, True)
    assert "mos_worse" not in summary({BASE: FIRST, "flow bf16": ALIKE})["flow bf16"]
