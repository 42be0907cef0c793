"""What a process remembers of the latest utterances: a ring of spans."""

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

_Noted = tuple[str, Stage, float, float, float, float, float]


class Ring:
    """The latest spans of a process. When the ring is full, each new one takes the place of the oldest.

    To note a span costs a fraction of a microsecond, because it is done for every piece of sound. To look an utterance
    up costs a pass over the ring; another thread may do it.
    """

    def __init__(self, spans: int = DEFAULT_SPANS, clock: Callable[[], float] = time.monotonic) -> None:
        self._noted: deque[_Noted] = deque(maxlen=spans)
        self._of_all: deque[Span] = deque(maxlen=_SPANS_OF_ALL)
        self._begun_s = clock()

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
        self._noted.append((utterance, stage, queued_s, start_s, end_s, predicted_s, reached))

    def note_of_all(self, stage: Stage, start_s: float, end_s: float) -> None:
        """Adds what concerned all utterances."""
        self._of_all.append(Span("", stage, start_s, start_s, end_s))

    @property
    def since_s(self) -> float:
        """Since when nothing is forgotten."""
        full = len(self._noted) == self._noted.maxlen
        return self._noted[0][4] if full else self._begun_s

    def traced(self, part: str, utterance: str, number: int = 0, *, works: bool = True) -> Traced:
        """What the ring knows of an utterance, and when `part` worked for others meanwhile. works: False for a part
        that does no such work, which saves half of the time."""
        noted = list(self._noted)  # in one go: the thread that notes may go on
        spans = [Span._make(span) for span in noted if span[0] == utterance]
        if not spans:
            return Traced(part, number, [], self.since_s)
        first_s, last_s = min(span.queued_s for span in spans), max(span.end_s for span in spans)
        others = (s for s in noted if s[1] in _WORK and s[0] != utterance) if works else ()
        busy = merged(((s[3], s[4]) for s in others if s[4] > first_s and s[3] < last_s), _APART_S)
        spans += [span for span in list(self._of_all) if span.end_s > first_s and span.start_s < last_s]
        return Traced(part, number, spans, self.since_s, busy)
