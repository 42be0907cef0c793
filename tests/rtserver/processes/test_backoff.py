"""How long a dead process's successor waits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtserver.processes.supervisor import Backoff


def test_delays_double_up_to_the_longest() -> None:
    """Each death in a row waits twice as long as the one before, and never longer than `max_s`."""
    backoff = Backoff(first_s=0.5, max_s=3.0, healthy_s=60.0)
    assert [backoff.delay_s(0.0) for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_a_healthy_run_begins_anew() -> None:
    """A run of `healthy_s` forgets the deaths before it; one that is a little shorter does not."""
    backoff = Backoff(first_s=0.5, max_s=30.0, healthy_s=60.0)
    assert [backoff.delay_s(ran_s) for ran_s in (0.0, 59.9, 59.9, 60.0, 59.9, 1000.0)] == [0.5, 1.0, 2.0, 0.5, 1.0, 0.5]


def test_a_long_first_run_waits_the_shortest() -> None:
    """The first death waits `first_s`, however long the run was."""
    assert [Backoff(first_s=0.25).delay_s(ran_s) for ran_s in (0.0, 1.0, 1e6)] == [0.25] * 3


def test_every_process_has_its_own() -> None:
    """The deaths of one process do not delay another."""
    one, other = Backoff(), Backoff()
    assert [one.delay_s(0.0) for _ in range(4)][-1] == 4.0
    assert other.delay_s(0.0) == 0.5


@given(st.lists(st.floats(0, 200), min_size=1, max_size=30))
def test_a_delay_stays_within_its_bounds(runs_s: list[float]) -> None:
    """Whatever the runs were, a delay is between the first and the longest, and at most twice the one before."""
    backoff = Backoff(first_s=0.5, max_s=30.0, healthy_s=60.0)
    delays_s = [backoff.delay_s(ran_s) for ran_s in runs_s]
    assert delays_s[0] == 0.5
    for ran_s, before_s, delay_s in zip(runs_s[1:], delays_s, delays_s[1:], strict=False):
        assert delay_s == pytest.approx(0.5 if ran_s >= 60 else min(2 * before_s, 30.0))
