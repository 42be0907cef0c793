"""The ring of spans, and intervals."""

from __future__ import annotations

import pytest

from rtserver.ipc.framing import CODEC
from rtserver.ipc.tracing import AskTrace, Span, Traced
from rtserver.metrics.intervals import common, length_s, merged, without
from rtserver.metrics.trace import Ring


def test_a_ring_tells_of_one_utterance() -> None:
    """Its spans in order, what concerns all while it was open, and when the part worked for others meanwhile."""
    ring = Ring(clock=lambda: 0.0)
    ring.note("u_other", "flow", 0.1, 0.1, 0.9)  # before it
    ring.note("u_1", "text", 1.0, 1.0, 1.0, reached=5)
    ring.note_of_all("loop", 0.1, 0.2)  # before it
    ring.note_of_all("loop", 1.1, 1.2)
    ring.note("u_other", "flow", 1.0, 1.2, 1.4)
    ring.note("u_third", "vocoder", 1.4, 1.4, 1.5)
    ring.note("u_other", "sent", 1.6, 1.6, 1.6)
    ring.note("u_1", "flow", 1.0, 1.5, 2.0, 0.4)
    ring.note_of_all("loop", 2.5, 2.6)  # after it
    traced = ring.traced("acoustic", "u_1", 7)
    assert traced == Traced(
        "acoustic",
        7,
        [
            Span("u_1", "text", 1.0, 1.0, 1.0, 0.0, 5),
            Span("u_1", "flow", 1.0, 1.5, 2.0, 0.4),
            Span("", "loop", 1.1, 1.1, 1.2),
        ],
        0.0,
        [(1.2, 1.5)],
    )
    assert ring.traced("acoustic", "u_1", works=False).busy == []


def test_a_full_ring_forgets_the_oldest_and_says_so() -> None:
    """Since when it remembers everything; before it is full, since it began."""
    ring = Ring(3, clock=lambda: 0.5)
    for second in range(1, 4):
        assert ring.since_s == 0.5
        ring.note(f"u_{second}", "sent", second, second, second)
    ring.note("u_4", "sent", 4, 4, 4)
    assert ring.since_s == 1
    assert ring.traced("front", "u_1") == Traced("front", 0, [], 1)
    assert len(ring.traced("front", "u_2").spans) == len(ring.traced("front", "u_4").spans) == 1


def test_of_a_long_utterance_the_latest_spans_are_kept() -> None:
    """So many that the last half minute of a conversation can be told."""
    ring = Ring(clock=lambda: 0.0)
    spans = ring.spans_of("u_1")
    for second in range(5000):
        spans.append(("sent", second, second, second, 0.0, second))
    ends_s = [span.end_s for span in ring.traced("front", "u_1").spans]
    assert 600 <= len(ends_s) < 5000 and ends_s == list(range(5000 - len(ends_s), 5000))


@pytest.mark.parametrize(
    "message", [AskTrace(3, "u_1"), Traced("talker", 3, [Span("u_1", "talker", 1.0, 2.0, 3.0)], 0.0, [(1.0, 2.0)])]
)
def test_traces_travel_between_processes(message: AskTrace | Traced) -> None:
    """As they were, spans too."""
    assert CODEC.from_msgpack(CODEC.to_msgpack(message)) == message


def test_intervals_are_merged() -> None:
    """What overlaps, touches or is near becomes one; what has no length goes."""
    assert merged([(3, 4), (1, 2), (1.5, 2.5), (4, 5), (7, 7)]) == [(1, 2.5), (3, 5)]
    assert merged([(1, 2), (2.4, 3)], apart_s=0.5) == [(1, 3)]
    assert merged([]) == []


def test_intervals_are_compared() -> None:
    """What both have, and what one has alone."""
    one, other = [(0, 4), (6, 9)], [(1, 2), (3, 7), (8, 8.5)]
    assert common(one, other) == [(1, 2), (3, 4), (6, 7), (8, 8.5)]
    assert without(one, other) == [(0, 1), (2, 3), (7, 8), (8.5, 9)]
    assert length_s(common(one, other)) + length_s(without(one, other)) == length_s(one)
    assert common(one, []) == [] and without(one, []) == one and without(one, [(0, 10)]) == []


def test_many_long_utterances_do_not_fill_the_memory() -> None:
    """The oldest are forgotten when all have more spans than the ring holds, although there are few of them."""
    ring = Ring(100, clock=lambda: 0.0, spans=2500)
    for number in range(20):
        spans = ring.spans_of(f"u_{number}")
        for _ in range(1000):
            spans.append(("sent", number, number, number, 0.0, 0.0))
    kept = [number for number in range(20) if ring.traced("front", f"u_{number}").spans]
    assert kept == [17, 18, 19] and ring.since_s == 16
