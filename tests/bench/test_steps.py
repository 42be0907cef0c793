"""The steps of a sweep and where service breaks."""

from __future__ import annotations

from typing import Any

import pytest

from bench.load.calls.report import summarise
from bench.load.calls.steps import Service, Step, Sweep, SweepOptions, geometric
from bench.load.sweep import compared, verdict
from tests.bench.loads import VOICES, heard, load


def figures(ttfa_ms: float = 300.0, continuity: float = 1.0, refused: float = 0.0, **others: Any) -> dict[str, Any]:
    """A load's summary."""
    summary = summarise(load(*[heard()] * 3))
    summary["ttfa_ms"]["p95"] = ttfa_ms
    return summary | {"continuity": continuity, "refused_share": refused, "sustained_audio_per_s": 2.0} | others


def swept(*steps: tuple[float, list[str]], loop: Any = "open") -> Sweep:
    options = SweepOptions(tuple(load for load, _ in steps), loop=loop)
    return Sweep("ours", options, [Step(load, figures(plan=str(load)), broken) for load, broken in steps])


@pytest.mark.parametrize(
    ("summary", "broken"),
    [
        (figures(), []),
        (figures(ttfa_ms=1500.0, continuity=0.99, refused=0.01), []),
        (figures(ttfa_ms=1501.0), ["TTFA p95 1501 ms"]),
        (figures(continuity=0.98), ["continuity 98.00 %"]),
        (figures(refused=0.5), ["50.00 % refused"]),
        (summarise(load()), ["no turn began: measure for longer"]),
    ],
)
def test_what_breaks_service(summary: dict[str, Any], broken: list[str]) -> None:
    """Each bound by itself; at the bound it still holds."""
    assert Service().broken(summary) == broken


def test_a_load_that_is_refused_entirely_does_not_hold() -> None:
    """Though no accepted turn was bad."""
    assert Service().broken(summarise(load(heard(outcome="refused", ttfa_s=None, audio_s=0.0)))) == ["100.00 % refused"]


def test_the_limit_is_the_highest_load_below_the_first_that_breaks() -> None:
    """Whatever the order of the steps, and though a higher one held by luck."""
    assert swept((2, []), (4, []), (8, ["x"]), (6, []), (7, ["x"]), (16, [])).limit == Step(6, figures(plan="6"), [])
    assert swept((2, ["x"]), (4, [])).limit is None


def test_loads_between_are_geometric_means() -> None:
    """Talkers are whole; between neighbours there is none."""
    assert SweepOptions(()).between(4, 9) == pytest.approx(6)
    closed = SweepOptions((), loop="closed")
    assert closed.between(4, 9) == 6 and closed.between(4, 5) is None and closed.possible(4.4) == 4.0


def test_geometric_loads() -> None:
    """They rise by the factor; for talkers they are whole and differ."""
    assert geometric(2, 1.5, "open")[:4] == (2, 3, 4.5, 6.75)
    assert geometric(1, 1.2, "closed")[:6] == (1, 2, 3, 4, 5, 6)


def test_plans_are_the_same_for_every_server() -> None:
    """By options, load and voices alone."""
    for options in (SweepOptions(()), SweepOptions((), loop="closed")):
        assert options.plan(3, VOICES) == options.plan(3, VOICES) and options.plan(3, VOICES).loop == options.loop


def test_the_verdict_tells_the_limit_and_what_was_asked() -> None:
    """And that it is measured."""
    text = verdict(swept((2, []), (4, ["x"])))
    assert text.startswith("ours (measured): 2 calls a minute hold (TTFA p95 within 1.5 s, continuity 99 %")
    assert verdict(swept((2, ["x"]))).startswith("ours (measured): no load tried holds TTFA p95")
    assert "2 talkers hold" in verdict(swept((2, []), loop="closed"))


def test_comparing_with_an_earlier_run() -> None:
    """Ratios new / old of the limits, and of the steps whose load was the same."""
    old, new = swept((2, []), (4, [])).told(), swept((2, []), (4, []), (6, [])).told()
    new["steps"][0]["summary"] |= {"sustained_audio_per_s": 3.0}
    new["steps"][1]["summary"] |= {"plan": "another"}
    text = compared(new, old)
    assert text[1] == "limit 1.50, its sustained audio 1.00"
    assert [line.split(":")[0] for line in text[2:]] == ["2"]
    assert "TTFA p50 1.00, p95 1.00, sustained 1.50, continuity 1.00" in text[2]


def test_comparing_other_loads_says_so() -> None:
    """Rather than comparing what cannot be."""
    assert compared(swept((2, ["x"])).told(), swept((3, [])).told())[1].startswith("nothing to compare")
