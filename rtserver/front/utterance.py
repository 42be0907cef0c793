"""One utterance between session and engine: its text goes through the reader, its segments into the engine."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from rtserver.engine.api import Engine, EngineError, Event
from rtserver.ipc.engine import Audio, Done, Failed, Flushed, Hungry, Started
from rtserver.ipc.reading import Read, Segment
from rtserver.session.effects import Speak

UtteranceEvent = Started | Audio | Flushed | Done | Failed
OnSegments = Callable[[Sequence[Segment]], None]


class OpenedText(Protocol):
    """An utterance's text at the reader."""

    def write(self, text: str) -> None: ...
    def flush(self) -> None: ...
    def end(self) -> None: ...
    def commit(self) -> None: ...
    def drop(self) -> None: ...


class TextReader(Protocol):
    """Turns text into segments, somewhere off the event loop."""

    @property
    def ready(self) -> bool: ...
    def open(
        self, utterance: str, on_read: Callable[[Read | Failed], None], *, language: str | None, words: bool
    ) -> OpenedText: ...


class FrontUtterance:
    """Opens an utterance at reader and engine and keeps both in step. Raises EngineError when there is no engine."""

    def __init__(
        self,
        speak: Speak,
        engine: Engine,
        reader: TextReader,
        on_event: Callable[[UtteranceEvent], None],
        on_segments: OnSegments,
        on_unreadable: Callable[[Failed], None],
        clock: Callable[[], float],
    ) -> None:
        self._on_event = on_event
        self._on_segments = on_segments
        self._on_unreadable = on_unreadable
        # What to do when the reader answers each of the marks that were set.
        self._boundaries: deque[Callable[[], None]] = deque()
        self._answered = 0
        self._clock = clock
        self._first_text_s: float | None = None
        self._reading_s: float | None = None  # from the first text to the first of its segments
        self._utterance = engine.open(speak.request, self._event)
        try:
            self._text = reader.open(speak.request.utterance, self._read, language=speak.language, words=speak.words)
        except EngineError:
            self._utterance.cancel()
            raise

    def say(self, text: str) -> None:
        if self._first_text_s is None:
            self._first_text_s = self._clock()
        self._text.write(text)

    def flush(self, flush_id: str) -> None:
        self._boundaries.append(lambda: self._utterance.flush(flush_id))
        self._text.flush()

    def end(self) -> None:
        self._boundaries.append(self._utterance.end)
        self._text.end()

    def heard(self, position_s: float) -> None:
        self._utterance.heard(position_s)

    def hold(self, on: bool) -> None:
        self._utterance.hold(on)

    def stop(self) -> None:
        """Ends the work at both. Nothing is called back afterwards."""
        self._text.drop()
        self._utterance.cancel()

    def _event(self, event: Event) -> None:
        match event:
            case Hungry():
                self._boundaries.append(lambda: None)
                self._text.commit()
            case Done():
                self._on_event(replace(event, seconds=self._from_first_text(event.seconds)))
            case _:
                self._on_event(event)

    def _from_first_text(self, seconds: dict[str, float]) -> dict[str, float]:
        """The engine counts from the first segment it got; a listener counts from the first text."""
        since_text = {k: seconds[k] + (self._reading_s or 0.0) for k in ("wall", "text_wait", "ttfa") if k in seconds}
        return seconds | since_text

    def _read(self, read: Read | Failed) -> None:
        if isinstance(read, Failed):
            self._utterance.cancel()
            self._on_unreadable(read)
            return
        if read.segments:
            if self._reading_s is None and self._first_text_s is not None:
                self._reading_s = self._clock() - self._first_text_s
            self._on_segments(read.segments)
            self._utterance.feed(read.segments)
        for _ in range(read.boundaries - self._answered):
            self._boundaries.popleft()()
        self._answered = read.boundaries
