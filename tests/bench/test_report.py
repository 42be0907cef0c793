"""The figures of a load."""

from __future__ import annotations

import json

import pytest

from bench.load.calls.report import length_ratios, lines, spread, summarise
from tests.bench.loads import heard, load


def test_only_the_window_counts() -> None:
    """Turns that began before or after it are not in the figures."""
    summary = summarise(load(heard(begun_s=0.5, ttfa_s=9.0), heard(begun_s=1.0), heard(begun_s=11.0, ttfa_s=9.0)))
    assert summary["turns"] == 1 and summary["ttfa_ms"]["p99"] == 300.0


def test_a_refused_turn_is_a_result() -> None:
    """It counts among the turns, not among the accepted ones."""
    summary = summarise(load(*[heard()] * 3, heard(outcome="refused", ttfa_s=None, audio_s=0.0, answer_s=0.02)))
    assert summary["refused"] == 1 and summary["refused_share"] == 0.25
    assert summary["continuity"] == 1.0 and summary["refusal_ms"]["p95"] == 20.0 and summary["failed"] == 0


def test_what_breaks_continuity() -> None:
    """A deficit of 100 ms or more that is not for want of text, a failure, no sound at all; not an interruption."""
    good = [heard(deficit_s=0.099), heard(deficit_s=2.0, starved_s=1.95), heard(outcome="cancelled")]
    bad = [
        heard(deficit_s=0.1),
        heard(deficit_s=2.0, starved_s=1.8),
        heard(outcome="failed", error="engine_lost: gone"),
        heard(outcome="cut", audio_s=0.0),
    ]
    assert all(turn.continuous for turn in good) and not any(turn.continuous for turn in bad)
    summary = summarise(load(*good, *bad))
    assert summary["continuity"] == round(3 / 7, 4) and summary["errors"] == {"engine_lost: gone": 1}


def test_a_turn_that_was_cut_while_it_waited_counts_with_its_wait() -> None:
    """The slowest turns are not left out because they never sounded."""
    summary = summarise(load(*[heard()] * 9, heard(outcome="cut", audio_s=0.0, ttfa_s=25.0)))
    assert summary["ttfa_ms"]["p95"] == 25000.0 and summary["cut"] == 1


def test_sustained_is_the_sound_of_the_window() -> None:
    """Over its seconds; offered is corrected by how long replies turned out to be."""
    ten = load(*[heard(audio_s=3.0, expected_s=2.0)] * 5, audio_s=42.0)
    summary = summarise(ten)
    assert summary["sustained_audio_per_s"] == 4.2 and summary["length_ratio"] == {"en": 1.5}
    assert summary["offered_audio_per_s"] == pytest.approx(1.5 * ten.plan.offered(), abs=1e-3)


def test_length_is_told_by_whole_turns_alone() -> None:
    """Neither by interrupted ones nor by few."""
    assert length_ratios([heard()] * 4) == {} and length_ratios([heard(outcome="cancelled")] * 9) == {}
    assert length_ratios([heard(audio_s=1.0)] * 5) == {"en": 0.5}


def test_interruptions() -> None:
    """Waste for each cancel the server answered, and for each interruption whether or not all had been sent."""
    turns = [
        heard(outcome="cancelled", cancel_s=0.01, wasted_s=3.0),
        heard(outcome="cancelled", cancel_s=0.03, wasted_s=1.0),
        heard(outcome="done", unheard_s=2.0),
    ]
    barge_in = summarise(load(*turns))["barge_in"]
    assert barge_in["wasted_s_per_cancel"] == 2.0 and barge_in["wasted_s_per_barge_in"] == 2.0
    assert barge_in["after_done"] == 1 and barge_in["unheard_s_after_done"] == 2.0
    assert barge_in["cancel_ms"]["p50"] == 10.0 and barge_in["cancel_ms"]["p95"] == 30.0


def test_stages_are_the_servers() -> None:
    """Percentiles of what `done` told."""
    summary = summarise(load(heard(timings={"talker": 80.0, "queue": 5.0}), heard(timings={"talker": 120.0})))
    assert summary["stages_ms"]["talker"] == {"p50": 80.0, "p90": 120.0, "p95": 120.0, "p99": 120.0}
    assert summary["stages_ms"]["queue"]["p50"] == 5.0 and summary["stages_ms"]["flow"]["p50"] is None


def test_spread_is_of_measured_values() -> None:
    """Nearest rank; None where nothing was measured."""
    assert spread([float(n) for n in range(1, 101)]) == {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0}
    assert spread([None]) == {"p50": None, "p90": None, "p95": None, "p99": None}


def test_an_empty_load_has_figures() -> None:
    """Valid JSON, and lines to read."""
    summary = summarise(load())
    assert json.loads(json.dumps(summary, allow_nan=False))["continuity"] is None
    assert "0 turns" in lines(summary)[0] and "TTFA - / - / - / - ms" in lines(summary)[1]


def test_the_lines_say_measured() -> None:
    """And tell refusals, interruptions and errors when there are any."""
    turns = [
        heard(),
        heard(outcome="refused", ttfa_s=None, audio_s=0.0, answer_s=0.02),
        heard(outcome="cancelled", cancel_s=0.01, wasted_s=1.5),
        heard(outcome="failed", error="internal: oh"),
    ]
    text = "\n".join(lines(summarise(load(*turns))))
    for part in ("(measured)", "refused 25.0 %", "answered after 20 / 20", "1.50 s wasted", "1 times: internal: oh"):
        assert part in text, part
