"""Progress: what is done, and the time left by the recent pace."""

from __future__ import annotations

import time

import pytest

from cosyvoice.nano.progress import Progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The processor time, in its only element."""
    now = [0.0]
    monkeypatch.setattr(time, "process_time", lambda: now[0])
    return now


def test_it_says_how_much_time_is_left(clock: list[float]) -> None:
    """At the pace so far, the rest takes as long as that."""
    progress = Progress("codes", 100, "rows")
    clock[0] = 30.0
    progress.add(10)
    assert progress.line(30.0, "fine") == "codes: 10 of 100 rows, 4 min of one core left; fine"


def test_what_was_done_before_does_not_count_for_the_pace(clock: list[float]) -> None:
    """A resumed job judges by its own work; without any it says nothing of the time."""
    progress = Progress("corpus", 10, "h", 5.0)
    assert progress.line(10.0) == "corpus: 5 of 10 h"
    progress.add(0.5)
    assert progress.line(360.0) == "corpus: 5.50 of 10 h, 54 min of one core left"


def test_the_pace_is_the_recent_one(clock: list[float]) -> None:
    """Quick work at the beginning is forgotten."""
    progress = Progress("corpus", 1000, "rows")
    progress.add(500)
    assert "2 min" in progress.line(130.0)
    progress.add(10)
    assert progress.line(230.0) == "corpus: 510 of 1000 rows, 1.4 h of one core left"


def test_lines_come_now_and_then(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    """Many small pieces of work print few lines."""
    progress = Progress("codes", 1000, "rows")
    for _ in range(1000):
        clock[0] += 0.1
        progress.add(1)
    assert 4 <= len(capsys.readouterr().err.splitlines()) <= 6
