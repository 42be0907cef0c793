"""Where the time to a first sound went, from the trace of its utterance. Pure: times are seconds of one clock."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from rtserver.ipc.tracing import Stage
from rtserver.metrics.utterance_trace import TracedSpan
from rtserver.schedule.first_hop import TalkerPace

# What the time is spent on, in the order in which it passes. Together they are all of it.
STAGES = {
    "socket in": "from the client to the front",
    "reader": "text to text ids",
    "to the talker": "the text ids go to the acoustic process, and its first quantum to the talker",
    "talker": "its quanta, until the last tokens of the first hop are there",
    "to the flow": "the tokens go back",
    "flow": "the Euler steps of the first hop",
    "vocoder": "its samples",
    "hold": "the first sound is kept back",
    "socket out": "from the acoustic process to the client",
}


@dataclass(frozen=True)
class FirstPath:
    """The way of a first sound."""

    # Seconds by stage.
    stages_s: dict[str, float]
    # Of the first sound.
    sounds_s: float
    # How many quanta it needed, and what the talker's process worked on them.
    quanta: int
    sampling_s: float
    # How long before the listener ran dry the second sound came. None when there was none.
    spare_s: float | None
    # Of all its quanta: how many ids each gave, and how long its answer took.
    answers: list[tuple[int, float]]


def first_path(spans: Sequence[TracedSpan], begins_s: float, sent_s: float, heard_s: float) -> FirstPath:
    """begins_s: the trace's first moment. sent_s, heard_s: when the client sent its text and had its first sound.
    Raises ValueError for a trace without sound."""

    def of(stage: Stage) -> list[TracedSpan]:
        return sorted((span for span in spans if span.stage == stage), key=lambda span: span.start_s)

    sounds = of("vocoder")
    if not sounds:
        raise ValueError("expected the trace of an utterance with sound, found no span of the vocoder")
    first = sounds[0]
    flow = [span for span in of("flow") if span.end_s <= first.start_s]
    quanta = [span for span in of("talker") if span.end_s <= flow[0].start_s]
    reader = [span for span in of("reader") if span.end_s <= quanta[0].start_s]
    held = of("release")
    ends_s = [
        of("text")[0].start_s,
        reader[-1].end_s,
        quanta[0].start_s,
        quanta[-1].end_s,
        flow[0].start_s,
        flow[-1].end_s,
        first.end_s,
        held[0].end_s if held else first.end_s,
        heard_s - begins_s,
    ]
    starts_s = [sent_s - begins_s, *ends_s]
    stages_s = {stage: end_s - start_s for stage, start_s, end_s in zip(STAGES, starts_s, ends_s, strict=False)}
    spare_s = heard_s - begins_s + first.reached - sounds[1].end_s if len(sounds) > 1 else None
    sampling_s = sum(span.end_s - span.start_s for span in quanta)
    answers = [
        (round(sampled.reached), asked.end_s - asked.start_s)
        for sampled, asked in zip(of("talker"), of("quantum"), strict=False)
    ]
    return FirstPath(stages_s, first.reached, len(quanta), sampling_s, spare_s, answers)


def pace_of(answers: Sequence[tuple[int, float]]) -> TalkerPace:
    """The line that fits quanta best: how many ids each gave, and how long it took."""
    ids, seconds = zip(*answers, strict=True)
    slope, intercept = statistics.linear_regression(ids, seconds)
    return TalkerPace(token_s=slope, quantum_s=intercept)
