"""Which stage was late when a listener ran dry. Pure.

From the late piece of sound the way is followed backwards: outbox, front, vocoder, flow, and then whatever the flow
waited for: the hop before it, or a quantum of the talker, or text. At each step the time that was lost is put down to a
stage: of work all beyond what was predicted, of waiting all of it. The way ends where nothing was lost: where the work
was paced because the listener had enough, or when the listener last began to play.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rtserver.ipc.tracing import Span, Stage
from rtserver.metrics.intervals import Interval, common, length_s, merged, without

LateStage = Literal[
    "text",  # the client had sent no text
    "reader",  # text to ids
    "queue",  # a device worked for others
    "talker",
    "flow",
    "vocoder",
    "relay",  # a message between two processes
    "front loop",  # the front's event loop was blocked
    "outbox",  # sound that waited to be sent
    "client",  # sound that waited because the client did not read
]

# Clocks are read before a message is sent and after it has come: what follows may seem to begin this much earlier.
_TOLERANCE_S = 0.001
# Work that began this long after what it could have waited for was paced.
_PACED_S = 0.05
_AUDIO_TOLERANCE_S = 0.0005


@dataclass(frozen=True)
class Gap:
    """A listener heard nothing from `dry_s`, when it had heard all that was sent, to `sent_s`, when more was sent."""

    utterance: str
    # When it began to play, at first or after the gap before this one.
    since_s: float
    dry_s: float
    sent_s: float
    # Where in the utterance's audio.
    at_s: float

    @property
    def gap_s(self) -> float:
        return self.sent_s - self.dry_s


@dataclass(frozen=True)
class Blame:
    """Why. `late` holds each stage that lost time, and how much, the latest first; empty: nothing is known."""

    late: list[tuple[LateStage, float]]

    @property
    def stage(self) -> LateStage | None:
        """The stage that was late."""
        return self.late[0][0] if self.late else None

    @property
    def late_s(self) -> float:
        return self.late[0][1] if self.late else 0.0


def blamed(gap: Gap, spans: Sequence[Span], busy: Mapping[str, Sequence[Interval]]) -> Blame:
    """Who was late. `spans`: of the utterance, from all processes; `busy`: when each part worked for others."""
    return _Way(gap, spans, busy).back()


class _Way:
    """The way of the late piece of sound, followed backwards."""

    def __init__(self, gap: Gap, spans: Sequence[Span], busy: Mapping[str, Sequence[Interval]]) -> None:
        self._gap = gap
        self._spans: dict[Stage, list[Span]] = defaultdict(list)
        for span in sorted(spans, key=lambda span: span.end_s):
            if span.end_s > gap.since_s:
                self._spans[span.stage].append(span)
        self._busy = busy
        self._loop = merged((s.start_s, s.end_s) for s in self._spans["loop"])
        self._client = merged((s.start_s, s.end_s) for s in self._spans["client"])
        self._late: dict[LateStage, float] = defaultdict(float)
        self._worked: dict[LateStage, float] = defaultdict(float)  # predicted or not

    def back(self) -> Blame:
        sound = self._first_beyond("sound")
        if sound is not None:
            # A frame waits for the client only after it has come.
            self._wait(sound.end_s, self._gap.sent_s, "outbox", (self._client, "client"), (self._loop, "front loop"))
            made = self._first_beyond("vocoder")
            if made is not None:
                release = self._first_beyond("release")
                kept_back = release is not None and release.reached == made.reached
                self._wait(
                    release.end_s if release is not None and kept_back else made.end_s,
                    sound.end_s,
                    "relay",
                    (self._loop, "front loop"),
                )
                self._making(made)
        lost_s = sum(self._late.values())
        if self._worked and lost_s < self._gap.gap_s / 2:
            # As slow as it was predicted to be: too slow all the same.
            slowest = max(self._worked, key=lambda stage: self._worked[stage])
            self._late[slowest] += self._gap.gap_s - lost_s
        return Blame(sorted(self._late.items(), key=lambda item: -item[1]))

    # -- from the samples to the text -------------------------------------------------------------------------------

    def _making(self, made: Span) -> None:
        """Follows the cause of each thing, from the vocoder's work on the late piece on."""
        cause: Span | None = made
        while cause is not None and cause.end_s > self._gap.since_s:
            match cause.stage:
                case "vocoder":
                    could_s = self._hop(cause)
                case "quantum":
                    could_s = self._quantum(cause)
                case _:
                    could_s = self._starved(cause)
            cause = self._cause(could_s, cause)

    def _cause(self, at_s: float, effect: Span) -> Span | None:
        """What was waited for until then; None where the work was paced."""
        causes: tuple[Stage, ...] = ("vocoder", "quantum", "starved")
        ended = [
            span
            for stage in causes
            for span in self._spans[stage]
            if span.end_s <= at_s + _TOLERANCE_S and span.end_s < effect.end_s
        ]
        latest = max(ended, key=lambda span: span.end_s, default=None)
        return latest if latest is not None and at_s - latest.end_s < _PACED_S else None

    def _hop(self, vocoder: Span) -> float:
        """A hop's samples and its Euler steps; when it could have begun."""
        earlier_s = max((v.end_s for v in self._spans["vocoder"] if v.end_s < vocoder.end_s), default=float("-inf"))
        self._work(vocoder, "vocoder")
        could_s = vocoder.queued_s
        for steps in reversed(self._spans["flow"]):
            if earlier_s - _TOLERANCE_S <= steps.start_s and steps.end_s <= vocoder.start_s + _TOLERANCE_S:
                self._work(steps, "flow")
                self._wait_for("acoustic", steps.queued_s, steps.start_s)
                could_s = steps.queued_s
        return could_s

    def _quantum(self, quantum: Span) -> float:
        """A quantum's way to the talker and back; when it could have begun."""
        inside = [
            s
            for s in self._spans["talker"]
            if quantum.start_s - _TOLERANCE_S <= s.queued_s and s.end_s <= quantum.end_s + _TOLERANCE_S
        ]
        if inside:
            talker = inside[-1]
            self._transit("tokens_relay", talker.end_s, quantum.end_s, "acoustic")
            self._work(talker._replace(predicted_s=quantum.predicted_s), "talker")
            self._wait_for("talker", talker.queued_s, talker.start_s)
            self._transit("quantum_relay", quantum.start_s, talker.queued_s, "talker")
        else:
            self._work(quantum, "talker")
        taken = merged([*self._busy.get("talker", ()), *self._busy.get("acoustic", ())])
        self._wait(quantum.queued_s, quantum.start_s, "flow", (taken, "queue"))
        return quantum.queued_s

    def _starved(self, starved: Span) -> float:
        """A wait for text: the client's, or the reader's where text lay there. When it began."""
        waited = [(starved.start_s, starved.end_s)]
        reading = common(merged((s.queued_s, s.end_s) for s in self._spans["reader"]), waited)
        text_s = starved.end_s
        read_s = [s.end_s for s in self._spans["reader"] if starved.start_s < s.end_s <= text_s + _TOLERANCE_S]
        if read_s and starved.reached:  # text came; without, the sequence was closed
            text_s = read_s[-1]
            self._transit("text_relay", text_s, starved.end_s, "acoustic")
        self._lose("reader", reading)
        self._lose("text", without([(starved.start_s, text_s)], reading))
        return starved.start_s

    # -- what is lost -----------------------------------------------------------------------------------------------

    def _work(self, span: Span, stage: LateStage) -> None:
        took_s = span.end_s - span.start_s
        self._worked[stage] += length_s(self._in_window([(span.start_s, span.end_s)]))
        if took_s > span.predicted_s:
            self._lose(stage, [(span.start_s + span.predicted_s, span.end_s)])

    def _transit(self, relay: Stage, from_s: float, to_s: float, part: Literal["talker", "acoustic"]) -> None:
        """A message over the front to a process, which takes it when it is free."""
        relays = (span for span in self._spans[relay] if from_s <= span.start_s <= to_s)
        relayed = next(relays, None)
        relayed_s = to_s if relayed is None else min(to_s, relayed.end_s)
        self._wait(from_s, relayed_s, "relay", (self._loop, "front loop"))
        self._wait_for(part, relayed_s, to_s)

    def _wait_for(self, part: Literal["talker", "acoustic"], from_s: float, to_s: float) -> None:
        """A wait for a process: it worked for others, or was late itself."""
        itself: LateStage = "talker" if part == "talker" else "flow"
        self._wait(from_s, to_s, itself, (self._busy.get(part, ()), "queue"))

    def _wait(
        self, from_s: float, to_s: float, otherwise: LateStage, *reasons: tuple[Sequence[Interval], LateStage]
    ) -> None:
        """A wait, part by part put down to the first reason that holds."""
        left: list[Interval] = [(from_s, to_s)] if from_s < to_s else []
        for intervals, stage in reasons:
            self._lose(stage, common(left, intervals))
            left = without(left, intervals)
        self._lose(otherwise, left)

    def _lose(self, stage: LateStage, intervals: Sequence[Interval]) -> None:
        lost_s = length_s(self._in_window(intervals))
        if lost_s > 0:
            self._late[stage] += lost_s

    def _in_window(self, intervals: Sequence[Interval]) -> list[Interval]:
        return common(intervals, [(self._gap.since_s, self._gap.sent_s)])

    def _first_beyond(self, stage: Stage) -> Span | None:
        """The first span with sound beyond the gap's place: the one that holds the late piece."""
        beyond = (s for s in self._spans[stage] if s.reached > self._gap.at_s + _AUDIO_TOLERANCE_S)
        return next(beyond, None)
