"""The way of a first sound, from a trace."""

from __future__ import annotations

import pytest

from bench.load.first_path import STAGES, first_path, pace_of
from rtserver.ipc.tracing import Stage
from rtserver.metrics.utterance_trace import TracedSpan


def span(part: str, stage: Stage, start_s: float, end_s: float, reached: float = 0.0) -> TracedSpan:
    return TracedSpan(part, stage, start_s, start_s, end_s, 0.0, reached)


SPANS = [
    span("front", "text", 0.002, 0.002),
    span("reader", "reader", 0.003, 0.010),
    span("reader", "reader", 0.010, 0.030),  # the rest of the sentence, which the first sound does not need
    span("talker", "talker", 0.012, 0.092, 12),
    span("talker", "talker", 0.094, 0.114, 3),
    span("talker", "talker", 0.120, 0.300, 15),
    span("acoustic", "quantum", 0.011, 0.093, 12),
    span("acoustic", "quantum", 0.093, 0.116, 15),
    span("acoustic", "quantum", 0.118, 0.301, 30),
    span("acoustic", "flow", 0.116, 0.146),
    span("acoustic", "vocoder", 0.146, 0.166, 0.4),
    span("acoustic", "release", 0.166, 0.186, 0.4),
    span("acoustic", "vocoder", 0.400, 0.420, 1.4),
]


def test_stages_together_are_the_whole_time() -> None:
    """No time is lost between the stages, and none counts twice."""
    path = first_path(SPANS, begins_s=100.0, sent_s=99.998, heard_s=100.190)
    found_ms = {stage: round(1000 * seconds) for stage, seconds in path.stages_s.items()}
    assert found_ms == dict(zip(STAGES, (4, 8, 2, 102, 2, 30, 20, 20, 4), strict=True))
    assert sum(path.stages_s.values()) == pytest.approx(0.192)


def test_what_the_first_sound_needed() -> None:
    """Only the quanta before the first hop count, and the second sound has time until the first one is heard."""
    path = first_path(SPANS, begins_s=100.0, sent_s=99.998, heard_s=100.190)
    assert (path.quanta, path.sounds_s) == (2, 0.4)
    assert path.sampling_s == pytest.approx(0.1)
    assert path.spare_s == pytest.approx(0.190 + 0.4 - 0.420)


def test_a_sound_that_is_not_kept_back() -> None:
    """Then the stage takes no time, and a single sound has nothing after it."""
    spans = [one for one in SPANS if one.stage != "release" and one.start_s < 0.4]
    path = first_path(spans, begins_s=0.0, sent_s=0.0, heard_s=0.170)
    assert path.stages_s["hold"] == 0.0
    assert path.stages_s["socket out"] == pytest.approx(0.004)
    assert path.spare_s is None


def test_a_trace_without_sound_is_refused() -> None:
    """It has no first sound."""
    with pytest.raises(ValueError, match="expected the trace of an utterance with sound"):
        first_path(SPANS[:4], begins_s=0.0, sent_s=0.0, heard_s=0.1)


def test_pace_is_a_line_through_the_quanta() -> None:
    """What a token takes is its slope, and what a quantum takes besides is where it begins."""
    pace = pace_of([(15, 0.12), (10, 0.09), (5, 0.06), (15, 0.12)])
    assert pace.token_s == pytest.approx(0.006)
    assert pace.quantum_s == pytest.approx(0.03)
