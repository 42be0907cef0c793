"""An utterance's trace, put together from what all processes noted. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from rtserver.ipc.tracing import Span, Stage, Traced
from rtserver.metrics.attribution import Gap, LateStage, blamed

# A few milliseconds are lost on every way.
_LEAST_TOLD_MS = 10


class TracedSpan(msgspec.Struct):
    """One piece of work, or one wait. Seconds from the trace's first moment."""

    part: str
    stage: Stage
    # When it could have begun.
    queued_s: float
    start_s: float
    end_s: float
    # What the schedule expected; 0 where nothing is predicted.
    predicted_s: float
    # How far the utterance was with it: characters of text, text ids, speech tokens, or seconds of audio.
    reached: float


class TracedGap(msgspec.Struct):
    """The listener heard nothing for a while."""

    # When, in seconds from the trace's first moment.
    start_s: float
    gap_ms: int
    # Where in the utterance's audio.
    at_s: float
    # The stage that was late; None where nothing is known.
    stage: LateStage | None
    # All stages that lost time, the latest first, in milliseconds.
    late_ms: dict[LateStage, int]

    @property
    def others_ms(self) -> dict[LateStage, int]:
        """Those after the first that lost more than a moment."""
        return {s: late_ms for s, late_ms in self.late_ms.items() if s != self.stage and late_ms >= _LEAST_TOLD_MS}


class UtteranceTrace(msgspec.Struct):
    """What is known of an utterance's way through the server."""

    utterance: str
    # Its first moment, in seconds of the server's monotonic clock: traces of one server can be laid side by side.
    begins_s: float
    spans: list[TracedSpan]
    gaps: list[TracedGap]
    # Processes that did not answer: what they noted is missing.
    silent_parts: list[str]


def traced_gap(utterance: str, span: Span) -> Gap:
    """A gap from its span: `queued_s` is when the listener began to play, `reached` where in the audio it stopped."""
    return Gap(utterance, span.queued_s, span.start_s, span.end_s, span.reached)


def utterance_trace(
    utterance: str, answers: Sequence[Traced], silent_parts: Sequence[str] = ()
) -> UtteranceTrace | None:
    """All that the parts noted; None when none of them remembers the utterance."""
    if not any(span.utterance for traced in answers for span in traced.spans):
        return None
    spans = [span for traced in answers for span in traced.spans]
    busy = {traced.part: traced.busy for traced in answers}
    first_s = min(span.queued_s for span in spans if span.utterance)
    gaps = []
    for span in sorted((span for span in spans if span.stage == "gap"), key=lambda span: span.start_s):
        gap = traced_gap(utterance, span)
        blame = blamed(gap, spans, busy)
        late_ms = {stage: round(1000 * seconds) for stage, seconds in blame.late}
        gaps.append(TracedGap(_rounded(gap.dry_s - first_s), round(1000 * gap.gap_s), gap.at_s, blame.stage, late_ms))
    told = [
        TracedSpan(
            traced.part,
            span.stage,
            _rounded(span.queued_s - first_s),
            _rounded(span.start_s - first_s),
            _rounded(span.end_s - first_s),
            _rounded(span.predicted_s),
            span.reached,
        )
        for traced in answers
        for span in traced.spans
    ]
    told.sort(key=lambda span: (span.start_s, span.end_s))
    return UtteranceTrace(utterance, _rounded(first_s), told, gaps, list(silent_parts))


def _rounded(seconds: float) -> float:
    return round(seconds, 6)
