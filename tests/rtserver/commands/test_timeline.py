"""An utterance drawn as a timeline."""

from __future__ import annotations

from rtserver.commands.timeline import DRY, LATE, PLAYS, WAITS, WORKS, timeline
from rtserver.ipc.tracing import Span, Traced
from rtserver.metrics.utterance_trace import UtteranceTrace, utterance_trace
from tests.rtserver.metrics.ways import UTTERANCE, Way


def traced(way: Way, silent_parts: tuple[str, ...] = ()) -> UtteranceTrace:
    """A way as the front tells it: the gap is noted, and what was sent."""
    gap = way.gap
    sent = [
        Span(UTTERANCE, "sent", gap.since_s, gap.since_s, gap.since_s, 0.0, 0.5),
        Span(UTTERANCE, "gap", gap.since_s, gap.dry_s, gap.sent_s, 0.0, gap.at_s),
        Span(UTTERANCE, "sent", gap.sent_s, gap.sent_s, gap.sent_s, 0.0, 1.0),
    ]
    found = utterance_trace(UTTERANCE, [Traced("all", 0, [*way.spans, *way.more, *sent], 0.0)], silent_parts)
    assert found is not None
    return found


def rows(lines: list[str]) -> dict[str, str]:
    return {line[:12].strip(): line[12:] for line in lines[3:-2]}


def test_a_gap_and_its_cause_are_seen() -> None:
    """The late stage goes on beyond what was predicted while the listener hears nothing; a line says it in words."""
    lines = timeline(traced(Way(text_s=10.0, flow_late_s=2.0)), 112)
    assert lines[0] == "u_late: 3.84 s, 1 gap"
    drawn = rows(lines)
    late, dry = drawn["flow"], drawn["listener"]
    assert late.count(LATE) > 40 and late.count(WORKS) > 2
    assert 40 < dry.count(DRY) < late.count(LATE) and dry.count(PLAYS) > 20
    assert late.rindex(LATE) <= dry.rindex(DRY) and LATE not in drawn["talker"]
    assert lines[-1] == "gap of 1841 ms at 0.50 s of the audio (1.50 s on the scale): late was flow 2002 ms"


def test_what_else_lost_time_is_told_too() -> None:
    """The latest first; what lost next to nothing is left out."""
    lines = timeline(traced(Way(text_s=10.0, flow_late_s=2.0, talker_late_s=0.5, outbox_s=0.1)), 112)
    assert lines[-1].endswith(": late was flow 2002 ms; also talker 501 ms, outbox 100 ms")


def test_the_picture_is_as_wide_as_the_terminal() -> None:
    """No line is wider, and a very narrow terminal gets the least that can be read."""
    trace = traced(Way(text_s=10.0, talker_late_s=2.0))
    for columns in (60, 100, 200):
        *picture, _, _ = timeline(trace, columns)
        assert max(map(len, picture)) <= columns + 10 and max(len(line) for line in picture[3:]) <= columns
    assert timeline(trace, 5) == timeline(trace, 40)


def test_waiting_is_drawn_before_the_work() -> None:
    """From when it could have begun."""
    drawn = rows(timeline(traced(Way(text_s=10.0, flow_queue_s=1.0)), 112))
    waited, worked = drawn["flow"].index(WAITS), drawn["flow"].index(WORKS)
    assert worked - waited > 20


def test_a_process_that_did_not_answer_is_named() -> None:
    """What it noted is missing in the picture."""
    lines = timeline(traced(Way(text_s=10.0), ("talker", "acoustic")), 100)
    assert lines[-1] == "did not answer: talker, acoustic"


def test_an_unknown_utterance_has_no_trace() -> None:
    """What concerns all utterances alone is none of it."""
    assert utterance_trace("u_x", [Traced("front", 0, [Span("", "loop", 1, 1, 2)], 0.0)]) is None
