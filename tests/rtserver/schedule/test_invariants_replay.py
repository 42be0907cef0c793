"""A recorded load, replayed: exactly who goes before whom.

Where a change of the schedule is meant to change the order, `python -m bench.load.replay` prints the new one.
"""

from __future__ import annotations

from pathlib import Path

from bench.load.replay import replayed
from bench.simulator.load import Recorded
from tests.rtserver.schedule.simulations import CPU

TRACES = Path(__file__).parent / "traces"


def test_a_recorded_load_is_served_in_the_order_it_was() -> None:
    """Two listeners, one of whom hangs up, beside batch work, on two CPU cores: quanta, turns and sounds in order."""
    done = replayed(CPU, Recorded.load(TRACES / "three_streams.json"))
    expected = (TRACES / "three_streams.txt").read_text(encoding="utf-8").splitlines()
    assert [str(entry).partition(" ")[2] for entry in done.log] == expected


def test_first_come_first_served_gives_another_order() -> None:
    """The trace tells policies apart: batch work that came first is not passed by."""
    load = Recorded.load(TRACES / "three_streams.json")
    ours, first_come = (
        [entry.names[0] for entry in replayed(CPU, load, policy).log if entry.what == "over"]
        for policy in ("ours", "first_come")
    )
    assert ours == ["alice", "dub"] and first_come == ["dub", "alice"]


def test_a_saved_trace_is_the_same_load(tmp_path: Path) -> None:
    """What is written is read back field by field."""
    load = Recorded.load(TRACES / "three_streams.json")
    load.save(tmp_path / "again.json")
    assert list(Recorded.load(tmp_path / "again.json").replies) == list(load.replies) != []
