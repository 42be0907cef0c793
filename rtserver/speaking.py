"""One utterance between session and engine: its text goes through the reader, its segments into the engine."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from rtserver.effects import Speak
from rtserver.engine.engine import Engine, EngineError, Event
from rtserver.messages.engine import Failed, Read, Segment

OnSegments = Callable[[Sequence[Segment]], None]


class ReaderText(Protocol):
    """An utterance's text at the reader."""

    def write(self, text: str) -> None: ...
    def flush(self) -> None: ...
    def end(self) -> None: ...
    def drop(self) -> None: ...


class Reader(Protocol):
    """Turns text into segments, somewhere off the event loop."""

    @property
    def ready(self) -> bool: ...
    def open(
        self, utterance: str, on_read: Callable[[Read | Failed], None], *, language: str | None, words: bool
    ) -> ReaderText: ...


class Speaking:
    """Opens an utterance at reader and engine and keeps both in step. Raises EngineError when there is no engine."""

    def __init__(
        self,
        speak: Speak,
        engine: Engine,
        reader: Reader,
        on_event: Callable[[Event], None],
        on_segments: OnSegments,
        on_unreadable: Callable[[Failed], None],
    ) -> None:
        self._on_segments = on_segments
        self._on_unreadable = on_unreadable
        # Marks that the reader has not answered yet: the id of a flush, or None for the end.
        self._marks: deque[str | None] = deque()
        self._answered = 0
        self._utterance = engine.open(speak.request, on_event)
        try:
            self._text = reader.open(speak.request.utterance, self._read, language=speak.language, words=speak.words)
        except EngineError:
            self._utterance.cancel()
            raise

    def say(self, text: str) -> None:
        self._text.write(text)

    def flush(self, flush_id: str) -> None:
        self._marks.append(flush_id)
        self._text.flush()

    def end(self) -> None:
        self._marks.append(None)
        self._text.end()

    def heard(self, position_s: float) -> None:
        self._utterance.heard(position_s)

    def hold(self, on: bool) -> None:
        self._utterance.hold(on)

    def stop(self) -> None:
        """Ends the work at both. Nothing is called back afterwards."""
        self._text.drop()
        self._utterance.cancel()

    def _read(self, read: Read | Failed) -> None:
        if isinstance(read, Failed):
            self._utterance.cancel()
            self._on_unreadable(read)
            return
        if read.segments:
            self._on_segments(read.segments)
            self._utterance.feed(read.segments)
        for _ in range(read.marks - self._answered):
            flush_id = self._marks.popleft()
            if flush_id is None:
                self._utterance.end()
            else:
                self._utterance.flush(flush_id)
        self._answered = read.marks
