"""The stages of a start, from what the server prints."""

from __future__ import annotations

import pytest

from bench.load.start import Start, medians, stages

LINES = [
    (0.5, "a warning of some library"),
    (1.0, "[  0.0 s] loading nano"),
    (2.0, "[  1.0 s] reader: loading en"),
    (2.5, "[  1.5 s] talker: importing vLLM"),
    (3.0, "[  2.0 s] reader: ready"),
    (7.0, "[  6.0 s] talker: starting vLLM"),
    (8.0, "[  7.0 s] talker: ready"),
    (8.5, "[  7.5 s] ready: nano, 4 voices"),
]


def test_a_stage_ends_with_the_next_line_of_its_process() -> None:
    """The first one begins with the command's first line; after its last line a process waits for the others."""
    assert stages(LINES) == {
        "front: process and imports": 1.0,
        "reader: process and imports": 1.0,
        "talker: process and imports": 1.5,
        "reader: loading en": 1.0,
        "talker: importing vLLM": 4.5,
        "talker: starting vLLM": 1.0,
    }


def test_a_process_that_does_not_say_that_it_is_ready_ends_with_the_server() -> None:
    """So older versions can be measured."""
    lines = [line for line in LINES if not line[1].endswith(": ready")]
    assert stages(lines)["talker: starting vLLM"] == 1.5


def test_a_start_that_does_not_end_is_no_measurement() -> None:
    """The error shows what was printed."""
    with pytest.raises(RuntimeError, match="importing vLLM"):
        stages(LINES[:5])


def test_a_server_that_is_stopped_while_it_loads_was_not_ready() -> None:
    """What it says last is no stage."""
    with pytest.raises(RuntimeError, match="importing vLLM"):
        stages([*LINES[:5], (4.0, "[  3.0 s] stopped while loading")])


def test_a_stage_that_some_starts_did_not_have_counts_there_as_nothing() -> None:
    """The machine may measure more sizes in one start than in another."""
    starts = [Start(9.0, {"a: x": 1.0, "a: y": 2.0}, {"front": 1.0}), Start(7.0, {"a: x": 3.0}, {"front": 2.0})]
    found = medians(starts)
    assert found["ready_s"] == 8.0 and found["stages_s"] == {"a: x": 2.0, "a: y": 1.0}
    assert found["cpu_all_s"] == 1.5 and found["all_ready_s"] == [9.0, 7.0]
