"""An engine whose utterances are counted. Next to nothing is done for each sound."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from rtserver.engine.admitting import Overloaded
from rtserver.engine.api import Engine, EngineError, Event, OnEvent
from rtserver.engine.wrapped import WrappedEngine, WrappedUtterance
from rtserver.ipc.engine import Audio, Done, Failed, Open, Started
from rtserver.ipc.reading import Segment
from rtserver.metrics.metrics import Metrics, Outcome

_BYTES_PER_SAMPLE = 2


class CountedUtterance(WrappedUtterance):
    """Counts an utterance when it is over. One that fails before it is Started was refused."""

    def __init__(self, request: Open, on_event: OnEvent, engine: CountingEngine) -> None:
        super().__init__()
        self.name = request.utterance
        self.service_class = request.service_class
        self._on_event = on_event
        self._engine = engine
        self._opened_s = engine.now_s()
        self._first_text_s: float | None = None
        self._reading_s: float | None = None  # from the first text to the first of its segments
        self._started = False
        self._sounds = False
        self._over = False
        self._unreadable = False
        self._text_ids = 0
        self._speech_tokens = 0
        self._pcm_bytes = 0

    # -- what comes out ---------------------------------------------------------------------------------------------

    def event(self, event: Event) -> None:
        """Passes an event on."""
        match event:
            case Audio():
                self._pcm_bytes += len(event.pcm)
                self._speech_tokens = event.tokens
                if not self._sounds:
                    self._first_sound()
            case Started():
                self._started = True
            case Done():
                self._speech_tokens = len(event.speech_tokens)
                self._close("done")
                self._engine.metrics.done(self.service_class, self._from_first_text(event.seconds))
            case Failed() if self._started:
                self._close("failed")
            case Failed():
                self._over = True
                self._engine.forget(self)
                self._engine.metrics.refused(event.code)
        self._on_event(event)

    def _first_sound(self) -> None:
        self._sounds = True
        since_s = self._opened_s if self._first_text_s is None else self._first_text_s
        self._engine.metrics.sounded(self.service_class, self._engine.now_s() - since_s)

    def _from_first_text(self, seconds: dict[str, float]) -> dict[str, float]:
        """The engine's wait for text begins with the first segment it got."""
        if "text_wait" not in seconds:
            return seconds
        return seconds | {"text_wait": seconds["text_wait"] + (self._reading_s or 0.0)}

    def _close(self, outcome: Outcome) -> None:
        if self._over:
            return
        self._over = True
        self._engine.forget(self)
        self._engine.metrics.over(
            self.service_class,
            outcome,
            audio_s=self._pcm_bytes / (_BYTES_PER_SAMPLE * self._engine.info.sample_rate),
            text_ids=self._text_ids,
            speech_tokens=self._speech_tokens,
        )

    # -- what goes in -----------------------------------------------------------------------------------------------

    def said(self) -> None:
        """Text was given to the reader."""
        if self._first_text_s is None:
            self._first_text_s = self._engine.now_s()

    def unreadable(self) -> None:
        """The reader has failed: a cancel follows."""
        self._unreadable = True

    def feed(self, segments: Sequence[Segment]) -> None:
        if self._reading_s is None and self._first_text_s is not None:
            self._reading_s = self._engine.now_s() - self._first_text_s
        self._text_ids += sum(len(segment.ids) for segment in segments)
        super().feed(segments)

    def cancel(self) -> None:
        self._close("failed" if self._unreadable else "cancelled")
        super().cancel()


class CountingEngine(WrappedEngine):
    """Counts what `engine` speaks, and whom it refuses."""

    def __init__(self, engine: Engine, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(engine)
        self.metrics = metrics
        self.now_s = clock
        self._utterances: dict[str, CountedUtterance] = {}

    def open(self, request: Open, on_event: OnEvent) -> CountedUtterance:
        utterance = CountedUtterance(request, on_event, self)
        try:
            utterance.opened(self._inner.open(request, utterance.event))
        except EngineError as error:
            self.metrics.refused("overloaded" if isinstance(error, Overloaded) else "engine_lost")
            raise
        self._utterances[request.utterance] = utterance
        self.metrics.live[request.service_class] += 1
        return utterance

    def utterance(self, name: str) -> CountedUtterance | None:
        """The open utterance of this name."""
        return self._utterances.get(name)

    def forget(self, utterance: CountedUtterance) -> None:
        """An utterance is over."""
        del self._utterances[utterance.name]
        self.metrics.live[utterance.service_class] -= 1
