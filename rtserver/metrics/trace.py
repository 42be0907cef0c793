"""What a process remembers of the latest utterances: their spans."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from rtserver.ipc.tracing import Span, Stage, Traced
from rtserver.metrics.intervals import merged

# A talking session makes ten to twenty spans a second in the front, of about 150 bytes each.
DEFAULT_UTTERANCES = 512
DEFAULT_SPANS = 500_000
_SPANS_OF_ONE = 1024
_SPANS_OF_ALL = 1000
# Where a process works for somebody.
_WORK = frozenset({"reader", "talker", "flow", "vocoder"})
# Work of others that is so close is told as one piece.
_APART_S = 0.001

# The spans of one utterance. Each: stage, queued, start, end, predicted, reached; see Span.
Spans = deque[tuple[Stage, float, float, float, float, float]]


class Ring:
    """The spans of the latest `utterances`; of a long one its latest spans. The oldest utterance makes room for a new
    one, even if it goes on. So it does when there are more than `spans` of all utterances together."""

    def __init__(
        self,
        utterances: int = DEFAULT_UTTERANCES,
        clock: Callable[[], float] = time.monotonic,
        spans: int = DEFAULT_SPANS,
    ) -> None:
        self._most = utterances
        self._most_spans = spans
        self._noted: dict[str, Spans] = {}  # in the order in which the utterances came
        self._of_all: deque[Span] = deque(maxlen=_SPANS_OF_ALL)
        # Since when no utterance is forgotten.
        self.since_s = clock()

    def spans_of(self, utterance: str) -> Spans:
        """Where the spans of an utterance are noted. What notes something for every piece of sound keeps this and
        appends to it: that costs a tenth of a microsecond."""
        spans = self._noted.get(utterance)
        if spans is None:
            self._make_room()
            spans = self._noted[utterance] = deque(maxlen=_SPANS_OF_ONE)
        return spans

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
        """Adds a span; see Span for the fields."""
        self.spans_of(utterance).append((stage, queued_s, start_s, end_s, predicted_s, reached))

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

    def _make_room(self) -> None:
        """For one more utterance."""
        spans = sum(map(len, self._noted.values()))
        while len(self._noted) >= self._most or spans > self._most_spans:
            spans -= len(next(iter(self._noted.values())))
            self._forget()

    def _forget(self) -> None:
        spans = self._noted.pop(next(iter(self._noted)))
        self.since_s = max([self.since_s, *(end_s for _, _, _, end_s, _, _ in spans)])
