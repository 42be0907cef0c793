"""What calibration measured, kept for the next start."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from rtserver.engine.acoustic.kept_costs import MeasuredCosts, MeasuredSize, costs_file, keep
from rtserver.schedule.costs import Costs

MEASURED = MeasuredCosts((MeasuredSize(50, 0.01, 0.02), MeasuredSize(100, 0.012, 0.025)), 0.1)
WHAT = {"device": "NVIDIA L20 (8, 9)", "flow": "abc", "torch": "2.13.0"}


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    """The folder is made, and nothing else stays in it."""
    file = costs_file(tmp_path / "costs", WHAT)
    assert MeasuredCosts.load(file) is None
    keep(file, asdict(MEASURED))
    assert MeasuredCosts.load(file) == MEASURED
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("name", WHAT)
def test_another_device_model_or_version_has_another_file(name: str, tmp_path: Path) -> None:
    """Order does not matter."""
    assert costs_file(tmp_path, {**WHAT, name: "another"}) != costs_file(tmp_path, WHAT)
    assert costs_file(tmp_path, dict(reversed(WHAT.items()))) == costs_file(tmp_path, WHAT)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"sizes": [{"frames": "many"}]}'])
def test_a_file_that_cannot_be_read_is_as_none(content: bytes, tmp_path: Path) -> None:
    """Then the machine is measured again."""
    file = costs_file(tmp_path, WHAT)
    file.write_bytes(content)
    assert MeasuredCosts.load(file) is None


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    """The server starts all the same."""
    (tmp_path / "costs").write_text("a file")
    keep(costs_file(tmp_path / "costs", WHAT), asdict(MEASURED))


def test_measured_costs_are_what_the_schedule_predicts() -> None:
    """Steps and vocoder, by frames."""
    costs = Costs()
    MEASURED.put_into(costs)
    assert (costs.predict("step", 50), costs.predict("step", 100)) == (0.01, 0.012)
    assert (costs.predict("vocoder", 50), costs.predict("vocoder", 100)) == (0.02, 0.025)
