"""Draws the trace of an utterance as a timeline in the terminal. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from rtserver.metrics.utterance_trace import TracedGap, TracedSpan, UtteranceTrace

_NAME_COLUMNS = 12
_LEAST_COLUMNS = 40
_STEPS_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0)
_SAME_S = 0.001  # places in the audio that are so close are the same
_STEP_COLUMNS = 10  # the least distance between two numbers of the scale

AT, WAITS, WORKS, LATE, PLAYS, DRY = "|", ".", "#", "X", "=", "!"
LEGEND = f"{WAITS} waits  {WORKS} works  {LATE} beyond the predicted time  {AT} happens  {PLAYS} plays  {DRY} runs dry"

# What each row shows, from the client's text to the listener.
_ROWS = ("text", "reader", "talker", "flow", "vocoder", "relay", "front loop", "outbox", "client", "listener")


def timeline(trace: UtteranceTrace, columns: int) -> list[str]:
    """The lines of the drawing: a scale, a row for each stage, and a line for each gap."""
    canvas = _Canvas(trace, max(_LEAST_COLUMNS, columns) - _NAME_COLUMNS)
    for span in trace.spans:
        _draw(canvas, span)
    _draw_outbox(canvas, trace.spans)
    _draw_listener(canvas, trace)
    lines = [f"{trace.utterance}: {canvas.length_s:.2f} s, {_counted(len(trace.gaps), 'gap')}"]
    lines += [" " * _NAME_COLUMNS + line for line in canvas.scale()]
    lines += [f"{name:<{_NAME_COLUMNS}}{canvas.row(name)}".rstrip() for name in _ROWS]
    lines += [LEGEND]
    lines += [_told(gap) for gap in trace.gaps]
    if trace.silent_parts:
        lines.append(f"did not answer: {', '.join(trace.silent_parts)}")
    return lines


class _Canvas:
    """Rows of characters over time."""

    def __init__(self, trace: UtteranceTrace, columns: int) -> None:
        ends_s = [span.end_s for span in trace.spans if span.stage != "loop"]
        self.length_s = max([*ends_s, _heard_s(trace), 0.001])
        self._columns = columns
        self._rows = {name: [" "] * columns for name in _ROWS}

    def draw(self, row: str, from_s: float, to_s: float, mark: str) -> None:
        """Draws at least one column. What lies outside of the picture is not drawn."""
        if to_s < 0 or from_s > self.length_s:
            return
        first, last = self._column(max(0.0, from_s)), self._column(min(to_s, self.length_s))
        self._rows[row][first : last + 1] = mark * (last + 1 - first)

    def row(self, name: str) -> str:
        return "".join(self._rows[name])

    def scale(self) -> list[str]:
        """Two lines: seconds, and a mark under each."""
        least_s = self.length_s * _STEP_COLUMNS / self._columns
        step_s = next((step for step in _STEPS_S if step >= least_s), least_s)
        figures, marks = [" "] * (self._columns + _STEP_COLUMNS), [" "] * self._columns
        for number in range(int(self.length_s / step_s) + 1):
            column = self._column(number * step_s)
            text = f"{number * step_s:g} s"
            figures[column : column + len(text)] = text
            marks[column] = AT
        return ["".join(figures).rstrip(), "".join(marks).rstrip()]

    def _column(self, at_s: float) -> int:
        return min(self._columns - 1, int(at_s / self.length_s * self._columns))


def _draw(canvas: _Canvas, span: TracedSpan) -> None:
    match span.stage:
        case "text":
            canvas.draw("text", span.start_s, span.start_s, AT)
        case "starved":
            canvas.draw("text", span.start_s, span.end_s, WAITS)
        case "text_relay" | "quantum_relay" | "tokens_relay":
            canvas.draw("relay", span.start_s, span.end_s, AT)
        case "quantum":
            canvas.draw("talker", span.queued_s, span.end_s, WAITS)
        case "reader" | "talker" | "flow" | "vocoder":
            canvas.draw(span.stage, span.queued_s, span.start_s, WAITS)
            canvas.draw(span.stage, span.start_s, span.end_s, WORKS)
            late_s = span.start_s + span.predicted_s
            if span.predicted_s and span.end_s > late_s:
                canvas.draw(span.stage, late_s, span.end_s, LATE)
        case "release":
            canvas.draw("vocoder", span.start_s, span.end_s, WAITS)
        case "loop":
            canvas.draw("front loop", span.start_s, span.end_s, LATE)
        case "client":
            canvas.draw("client", span.start_s, span.end_s, LATE)
        case _:  # outbox and listener need several spans; they are drawn separately
            pass


def _draw_outbox(canvas: _Canvas, spans: Iterable[TracedSpan]) -> None:
    """From the moment at which sound came to the moment at which it was sent."""
    sent = [span for span in spans if span.stage == "sent"]
    for sound in (span for span in spans if span.stage == "sound"):
        reached = sound.reached - _SAME_S
        sent_s = next((s.start_s for s in sent if s.reached >= reached and s.start_s >= sound.start_s), None)
        canvas.draw("outbox", sound.start_s, sound.start_s if sent_s is None else sent_s, WAITS)
        canvas.draw("outbox", sound.start_s, sound.start_s, AT)


def _draw_listener(canvas: _Canvas, trace: UtteranceTrace) -> None:
    first_s = min((span.start_s for span in trace.spans if span.stage == "sent"), default=None)
    if first_s is not None:
        canvas.draw("listener", first_s, _heard_s(trace), PLAYS)
    for gap in trace.gaps:
        canvas.draw("listener", gap.start_s, gap.start_s + gap.gap_ms / 1000, DRY)


def _heard_s(trace: UtteranceTrace) -> float:
    """When the listener has heard everything that was sent."""
    sent = [span for span in trace.spans if span.stage == "sent"]
    if not sent:
        return 0.0
    silence_s = sum(gap.gap_ms for gap in trace.gaps) / 1000
    return min(span.start_s for span in sent) + silence_s + max(span.reached for span in sent)


def _told(gap: TracedGap) -> str:
    where = f"gap of {gap.gap_ms} ms at {gap.at_s:.2f} s of the audio ({gap.start_s:.2f} s on the scale)"
    if gap.stage is None:
        return f"{where}: nothing is known of its cause"
    others = [f"{stage} {late_ms} ms" for stage, late_ms in gap.others_ms.items()]
    late = f"{where}: late was {gap.stage} {gap.late_ms[gap.stage]} ms"
    return f"{late}; also {', '.join(others)}" if others else late


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
