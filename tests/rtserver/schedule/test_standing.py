"""How soon an utterance's next work is due, and whether it may be done."""

from __future__ import annotations

import pytest

from rtserver.schedule.standing import TTFA_TARGET_S, may_work, may_work_at_s, urgency
from tests.rtserver.schedule.standings import standing


def test_a_newcomer_goes_before_those_with_slack_and_behind_the_nearly_dry() -> None:
    """Deadlines order: dry soon, the first sound's target, slack; batch work is last even when it is late."""
    order = sorted(
        [
            (urgency(standing(3.0), 0.2), "slack"),
            (urgency(standing(None, service_class="batch", since_s=0.0), 0.2), "batch"),
            (urgency(standing(), 0.2), "new"),
            (urgency(standing(0.1), 0.2), "nearly dry"),
        ]
    )
    assert [name for _, name in order] == ["nearly dry", "new", "slack", "batch"]


def test_batch_work_goes_to_the_tenant_that_had_least_then_to_the_first() -> None:
    """Nobody listens to it while it is made, so deadlines do not count."""
    early, late = (standing(None, service_class="batch", since_s=s) for s in (1.0, 2.0))
    assert urgency(late, 0.2, had_s=1.0) < urgency(early, 0.2, had_s=5.0)
    assert urgency(early, 0.9, had_s=1.0) < urgency(late, 0.1, had_s=1.0)


def test_urgency_counts_what_the_work_takes_and_what_is_on_its_way() -> None:
    """A dearer hop must begin earlier; tokens that are there already give time."""
    assert urgency(standing(1.0), 0.5) < urgency(standing(1.0), 0.1)
    assert urgency(standing(1.0), 0.1) < urgency(standing(1.0), 0.1, ahead_s=0.4)
    batch, due_s, _ = urgency(standing(), 0.1)
    assert not batch and due_s == pytest.approx(10.0 + TTFA_TARGET_S - 0.1)


def test_work_stops_at_the_lead_and_goes_on_in_time() -> None:
    """Beyond max_lead_s, or while held, there is no work; the time to look again is exact."""
    full = standing(5.0)
    assert not may_work(full, 10.0) and may_work_at_s(full) == pytest.approx(10.0)
    assert may_work(full, 10.01)
    assert not may_work(standing(4.5), 10.0, ahead_s=0.6)
    assert not may_work(standing(0.0, held=True), 10.0) and may_work_at_s(standing(0.0, held=True)) is None
    assert may_work(standing(1000.0, max_lead_s=None), 10.0)
