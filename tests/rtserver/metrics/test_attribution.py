"""Which stage was late when a listener ran dry: one thing on an utterance's way takes two seconds too long."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rtserver.ipc.tracing import Span
from rtserver.metrics.attribution import LateStage, blamed
from tests.rtserver.metrics.ways import STEPS_S, UTTERANCE, VOCODER_S, Way

LATE_S = 2.0


def loop_blocked(from_s: float, to_s: float) -> Span:
    return Span("", "loop", from_s, from_s, to_s)


def late_way(late: str) -> Way:
    fields: dict[str, Any] = {late: LATE_S}
    return Way(text_s=10.0, **fields)


def assert_late(way: Way, stage: LateStage, late_s: float = LATE_S) -> None:
    blame = way.blame()
    assert way.gap.gap_s > 1.0
    assert blame.stage == stage, blame
    assert blame.late_s == pytest.approx(late_s, abs=0.02)
    assert sum(seconds for _, seconds in blame.late[1:]) < 0.05, "nothing else was late"


@pytest.mark.parametrize(
    ("late", "stage"),
    [
        ({"reader_late_s": LATE_S}, "reader"),
        ({"to_acoustic_late_s": LATE_S}, "relay"),
        ({"to_talker_late_s": LATE_S}, "relay"),
        ({"talker_late_s": LATE_S}, "talker"),
        ({"from_talker_late_s": LATE_S}, "relay"),
        ({"flow_late_s": LATE_S}, "flow"),
        ({"vocoder_late_s": LATE_S}, "vocoder"),
        ({"to_front_late_s": LATE_S}, "relay"),
        ({"outbox_s": LATE_S}, "outbox"),
    ],
)
def test_what_took_too_long_is_named(late: dict[str, Any], stage: LateStage) -> None:
    """With what it took beyond its usual time; the others, which took theirs, are not late."""
    assert_late(Way(text_s=10.0, **late), stage)


def test_text_that_came_late_is_the_clients() -> None:
    """All of the wait counts, from when the talker could have gone on."""
    way = Way(text_s=12.0)
    assert_late(way, "text")


def test_a_sequence_that_was_closed_for_want_of_text_waited_for_text() -> None:
    """Also when a word came in between: it was read at once and was not enough to go on."""
    way = Way(text_s=12.0)
    (starved,) = [span for span in way.spans if span.stage == "starved"]
    way.spans.remove(starved)
    closed = starved._replace(reached=0.0)
    word = [Span(UTTERANCE, "reader", 11.0, 11.0, 11.004), Span(UTTERANCE, "text_relay", 11.005, 11.005, 11.005)]
    reading = [span for span in way.spans if span.stage == "reader"]
    way.spans = [span for span in way.spans if span not in reading] + [closed, *word]
    assert way.blame().stage == "text" and way.blame().late_s == pytest.approx(LATE_S, abs=0.02)


def test_text_that_lay_at_the_reader_is_not_the_clients() -> None:
    """Words came one by one while the reader stood still, and were read together when it went on."""
    way = Way(text_s=12.0)
    way.spans += [Span(UTTERANCE, "reader", 10.0 + i / 10, 11.99, 12.0) for i in range(20)]
    assert_late(way, "reader")


def test_a_device_that_works_for_others_makes_a_queue() -> None:
    """At the talker as at the flow: a place is free only when the others are through."""
    waited = Way(text_s=10.0, queue_s=LATE_S)
    waited.busy["talker"] = [(waited.at["queue"], waited.at["talker"])]
    assert_late(waited, "queue")
    waited = Way(text_s=10.0, flow_queue_s=LATE_S)
    waited.busy["acoustic"] = [(waited.at["flow"], waited.at["flow"] + LATE_S)]
    assert_late(waited, "queue")


def test_a_device_that_works_for_nobody_is_late_itself() -> None:
    """A process that was stopped, or that the machine gave no time."""
    assert_late(Way(text_s=10.0, flow_queue_s=LATE_S), "flow")
    assert_late(Way(text_s=10.0, queue_s=LATE_S), "flow")


@pytest.mark.parametrize(
    ("relay", "late", "stage"),
    [
        ("text_relay", "to_acoustic_late_s", "flow"),
        ("quantum_relay", "to_talker_late_s", "talker"),
        ("tokens_relay", "from_talker_late_s", "flow"),
    ],
)
def test_a_message_that_lies_unread_is_its_processes(relay: str, late: str, stage: LateStage) -> None:
    """The front passed it on at once; the process took it when it went on."""
    way = late_way(late)
    way.spans = [
        span._replace(start_s=span.start_s - LATE_S, end_s=span.end_s - LATE_S) if span.stage == relay else span
        for span in way.spans
    ]
    assert_late(way, stage)


@pytest.mark.parametrize(
    ("late", "at"),
    [
        ("to_acoustic_late_s", "text_relay"),
        ("to_talker_late_s", "quantum_relay"),
        ("from_talker_late_s", "tokens_relay"),
        ("to_front_late_s", "to front"),
        ("outbox_s", "outbox"),
    ],
)
def test_a_front_whose_loop_is_blocked_is_named(late: str, at: str) -> None:
    """Whatever waited there meanwhile: text, a quantum, tokens, sound."""
    way = late_way(late)
    way.more.append(loop_blocked(way.at[at], way.at[at] + LATE_S))
    assert_late(way, "front loop")


def test_a_client_that_does_not_read_is_named() -> None:
    """Sound waits in the outbox, but not for the server."""
    way = Way(text_s=10.0, outbox_s=LATE_S)
    way.more.append(Span(UTTERANCE, "client", 9.0, 9.0, way.sent_s))
    assert_late(way, "client")


def test_the_largest_share_comes_first_and_the_others_follow() -> None:
    """What several stages lost together is told of each."""
    blame = Way(text_s=10.0, talker_late_s=0.8, flow_late_s=1.5, outbox_s=0.3).blame()
    assert [stage for stage, _ in blame.late[:3]] == ["flow", "talker", "outbox"]
    assert [seconds for _, seconds in blame.late[:3]] == pytest.approx([1.5, 0.8, 0.3], abs=0.01)


def test_work_that_is_as_slow_as_predicted_is_still_too_slow() -> None:
    """Where no stage took longer than predicted, the one that took most is named, with what the gap is."""
    way = Way(text_s=10.0, flow_late_s=LATE_S, predictions_s=20.0)
    blame = way.blame()
    assert blame.stage == "flow" and blame.late_s == pytest.approx(way.gap.gap_s, abs=0.02)


def test_a_delay_in_an_earlier_hop_is_found() -> None:
    """The listener had some sound left then; the next hop began late because this one did."""
    way = Way(text_s=10.0)
    earlier = Way(text_s=10.0, talker_late_s=LATE_S)
    shift_s = LATE_S + STEPS_S + VOCODER_S  # the next hop begins when this one ends
    moved = [
        span._replace(
            queued_s=span.queued_s + shift_s,
            start_s=span.start_s + shift_s,
            end_s=span.end_s + shift_s,
            reached=span.reached * 1.5,
        )
        for span in way.spans
        if span.stage in ("flow", "vocoder", "sound") and span.end_s > 10.0
    ]
    gap = replace(way.gap, sent_s=way.sent_s + shift_s, at_s=1.0)
    blame = blamed(gap, [*earlier.spans, *moved], {})
    assert blame.stage == "talker" and blame.late_s == pytest.approx(LATE_S, abs=0.05)


def test_work_that_was_paced_is_not_late() -> None:
    """What lies before a pause in which the listener had enough did not cause the gap."""
    way = Way(text_s=10.0, flow_late_s=LATE_S)
    paced_s = 1.0
    way.spans = [
        span._replace(end_s=span.end_s - paced_s, start_s=span.start_s - paced_s, queued_s=span.queued_s - 3 * paced_s)
        if span.stage == "quantum"
        else span
        for span in way.spans
    ]
    assert_late(way, "flow")


def test_without_traces_nothing_is_said() -> None:
    """An engine that notes nothing: no stage is guessed."""
    blame = blamed(Way(text_s=12.0).gap, [], {})
    assert blame.stage is None and blame.late == []


def test_only_what_the_front_knows_is_told_when_the_engine_is_silent() -> None:
    """Sound that waited in the outbox is known without the engine."""
    way = Way(text_s=10.0, outbox_s=LATE_S)
    way.spans = [span for span in way.spans if span.stage in ("text", "sound")]
    assert_late(way, "outbox")
