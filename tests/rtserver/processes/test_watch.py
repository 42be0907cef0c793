"""When a process is taken to hang."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rtserver.ipc.process import Pulse
from rtserver.processes.vitals import Vitals
from rtserver.processes.watch import Watch, WatchLimits

# Three questions without a sign of work are a hang.
LIMITS = WatchLimits(interval_s=1.0, quiet_s=3.0, turn_cpu_s=10.0, start_s=20.0)
WAITS = Vitals(cpu_s=5.0, main_cpu_s=4.0, works=False, stopped=False)
STOPPED = replace(WAITS, stopped=True)
WORKS = replace(WAITS, works=True)


class Watched:
    """A process as its watch sees it."""

    def __init__(self) -> None:
        self.watch = Watch(LIMITS)
        self.turn = 0
        self.looks = 0

    def ready(self) -> Watched:
        """It has loaded, and waits for its first message."""
        self.turn = 1
        assert self.step(WAITS, waits=True) is None
        assert self.step(WAITS, waits=True) is None
        return self

    def step(self, vitals: Vitals | None, *, answers: bool = True, waits: bool = False, work: str = "") -> str | None:
        """One question and what follows."""

        def look() -> Vitals | None:
            self.looks += 1
            return vitals

        if answers and self.watch.number:
            self.watch.take(Pulse(self.watch.number, self.turn, waits, work))
        return self.watch.check(look)


def test_one_that_waits_for_messages_is_well() -> None:
    """However long it has nothing to do, and nobody looks at it closer."""
    watched = Watched().ready()
    looks = watched.looks
    assert [watched.step(WAITS, waits=True) for _ in range(1000)] == [None] * 1000
    assert watched.looks == looks


def test_one_that_takes_turns_is_well() -> None:
    """A process that is busy looks for messages between its pieces of work."""
    watched = Watched().ready()
    for _ in range(100):
        watched.turn += 1
        assert watched.step(WAITS) is None


@pytest.mark.parametrize("answers", [True, False])
def test_one_of_which_nothing_works_hangs(answers: bool) -> None:
    """A working thread that waits for something that never comes, whether or not another thread still answers."""
    watched = Watched().ready()
    found = [watched.step(WAITS, answers=answers, work="a hop of u_1") for _ in range(3)]
    at_work = ", at work on a hop of u_1" if answers else ""
    assert found == [None, None, f"nothing of it worked for 3 s{at_work}"]


def test_one_that_a_signal_stopped_hangs() -> None:
    """Also while it starts, and also when it had work to do."""
    for watched in (Watched(), Watched().ready()):
        found = [watched.step(STOPPED, answers=False) for _ in range(3)]
        assert found == [None, None, "it was stopped by a signal for 3 s"]


def test_work_that_takes_long_is_no_hang() -> None:
    """As long as processor time is used, or a thread wants a processor or a disk, it may be silent."""
    watched = Watched().ready()
    for second in range(9):
        assert watched.step(replace(WAITS, cpu_s=6.0 + second, main_cpu_s=5.0 + second), answers=False) is None
    watched = Watched().ready()
    for _ in range(1000):  # a busy machine that gives it no time
        assert watched.step(WORKS, answers=False) is None


def test_a_sign_of_work_begins_the_count_anew() -> None:
    """Only what is quiet without a break for the whole time hangs."""
    watched = Watched().ready()
    for _ in range(20):
        assert watched.step(WAITS, answers=False) is None
        assert watched.step(WAITS, answers=False) is None
        assert watched.step(WORKS, answers=False) is None


def test_work_that_never_ends_hangs() -> None:
    """By the processor time of the working thread since its last look; that of other threads does not count."""
    watched = Watched().ready()
    for second in range(100):
        assert watched.step(replace(WAITS, cpu_s=6.0 + second)) is None
    watched.turn += 1
    assert watched.step(WAITS) is None
    spent = [watched.step(replace(WAITS, cpu_s=200.0 + s, main_cpu_s=4.0 + s, works=True)) for s in range(12)]
    assert spent[:11] == [None] * 11
    assert spent[11] == "one piece of work took more than 10 s of processor time"


def test_a_server_that_was_stopped_itself_blames_nobody() -> None:
    """While nobody asks, no time passes: an answer that is missing after a long sleep counts as one question."""
    watched = Watched().ready()
    assert watched.step(STOPPED, answers=False) is None  # all were stopped, and the front goes on first
    watched.turn += 1
    assert watched.step(WAITS) is None
    assert watched.step(WAITS, waits=True) is None


def test_a_start_has_a_deadline_that_progress_extends() -> None:
    """A process that loads may be quiet; one that tells nothing for too long is taken to hang."""
    watched = Watched()
    for _ in range(3):
        assert [watched.step(WAITS) for _ in range(20)] == [None] * 20
        watched.watch.progress()
    assert [watched.step(WORKS, answers=False) for _ in range(20)] == [None] * 20
    assert watched.step(WORKS) == "it did not start, and told no progress for 20 s"


def test_without_a_look_nothing_is_judged() -> None:
    """Where the system tells nothing of processes, or this one is gone."""
    watched = Watched().ready()
    assert [watched.step(None, answers=False) for _ in range(100)] == [None] * 100


def test_a_larger_model_may_start_for_longer(tmp_path: Path) -> None:
    """By the size of its files."""
    (tmp_path / "flow").mkdir()
    with (tmp_path / "flow" / "weights").open("wb") as file:
        file.truncate(2 << 30)
    assert WatchLimits.of_model(tmp_path).start_s == WatchLimits().start_s + 120
