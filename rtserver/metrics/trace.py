"""What a process remembers of the latest utterances: their spans."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from rtserver.ipc.tracing import Span, Stage, Traced
from rtserver.metrics.intervals import merged

# About 200 bytes a span. A talking session makes ten a second in the front.
DEFAULT_SPANS = 1 << 14
_SPANS_OF_ALL = 1000
# Where a process works for somebody.
_WORK = frozenset({"reader", "talker", "flow", "vocoder"})
# Work of others that is so close is told as one piece.
_APART_S = 0.001

# A span without the name of its utterance.
_Noted = tuple[Stage, float, float, float, float, float]


class Ring:
    """The latest spans of a process, at most `spans`. When it is full, it forgets all spans of the utterance that it
    has known longest.

    To note a span costs a fraction of a microsecond, because it is done for every piece of sound. To look an utterance
    up costs no more than its own spans; with `works`, a pass over all.
    """

    def __init__(self, spans: int = DEFAULT_SPANS, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = spans
        self._spans = 0
        self._noted: dict[str, list[_Noted]] = {}  # in the order in which the utterances came
        self._of_all: deque[Span] = deque(maxlen=_SPANS_OF_ALL)
        # Since when nothing is forgotten.
        self.since_s = clock()

    def note(
        self,
        utterance: str,
        stage: Stage,
        queued_s: float,
        start_s: float,
        end_s: float,
        predicted_s: float = 0.0,
        reached: float = 0.0,
    ) -> None:
        """Adds a span; see Span for the fields. Plain arguments: to make a Span here would double the cost."""
        span = (stage, queued_s, start_s, end_s, predicted_s, reached)
        try:
            self._noted[utterance].append(span)
        except KeyError:
            self._noted[utterance] = [span]
        self._spans += 1
        if self._spans > self._most:
            self._forget()

    def note_of_all(self, stage: Stage, start_s: float, end_s: float) -> None:
        """Adds what concerned all utterances."""
        self._of_all.append(Span("", stage, start_s, start_s, end_s))

    def traced(self, part: str, utterance: str, number: int = 0, *, works: bool = True) -> Traced:
        """What the ring knows of an utterance, and when `part` worked for others meanwhile. works: False for a part
        that does no such work."""
        spans = [Span(utterance, *noted) for noted in self._noted.get(utterance, ())]
        if not spans:
            return Traced(part, number, [], self.since_s)
        first_s, last_s = min(span.queued_s for span in spans), max(span.end_s for span in spans)
        spans += [span for span in self._of_all if span.end_s > first_s and span.start_s < last_s]
        busy = self._busy(utterance, first_s, last_s) if works else []
        return Traced(part, number, spans, self.since_s, busy)

    def _busy(self, utterance: str, first_s: float, last_s: float) -> list[tuple[float, float]]:
        """When there was work for other utterances."""
        others = (noted for name, noted in self._noted.items() if name != utterance)
        work = ((start_s, end_s) for noted in others for stage, _, start_s, end_s, _, _ in noted if stage in _WORK)
        return merged(((s, e) for s, e in work if e > first_s and s < last_s), _APART_S)

    def _forget(self) -> None:
        """Forgets the utterance known longest. Of a single one, the first half of its spans."""
        oldest = next(iter(self._noted))
        noted = self._noted.pop(oldest)
        if not self._noted:
            kept = noted[len(noted) // 2 :]
            self._noted[oldest] = kept
            noted = noted[: len(noted) - len(kept)]
        self._spans -= len(noted)
        self.since_s = max(self.since_s, *(end_s for _, _, _, end_s, _, _ in noted))
