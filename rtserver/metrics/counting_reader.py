"""A reader that tells the counted utterances of an engine what becomes of their text."""

from __future__ import annotations

from collections.abc import Callable

from rtserver.front.utterance import OpenedText, TextReader
from rtserver.ipc.engine import Failed
from rtserver.ipc.reading import Read
from rtserver.metrics.counting_engine import CountedUtterance, CountingEngine


class CountedText:
    """An utterance's text at the reader: the wait for speech begins with the first of it."""

    def __init__(self, text: OpenedText, utterance: CountedUtterance) -> None:
        self._text = text
        self._utterance = utterance

    def write(self, text: str) -> None:
        self._utterance.said()
        self._text.write(text)

    def flush(self) -> None:
        self._text.flush()

    def end(self) -> None:
        self._text.end()

    def commit(self) -> None:
        self._text.commit()

    def drop(self) -> None:
        self._text.drop()


class CountingReader:
    """Reads with `reader`, for utterances that were opened at `engine` before."""

    def __init__(self, reader: TextReader, engine: CountingEngine) -> None:
        self._reader = reader
        self._engine = engine

    @property
    def ready(self) -> bool:
        return self._reader.ready

    def open(
        self, utterance: str, on_read: Callable[[Read | Failed], None], *, language: str | None, words: bool
    ) -> OpenedText:
        counted = self._engine.utterance(utterance)
        if counted is None:
            return self._reader.open(utterance, on_read, language=language, words=words)

        def read(answer: Read | Failed) -> None:
            if isinstance(answer, Failed):
                counted.unreadable()
            on_read(answer)

        return CountedText(self._reader.open(utterance, read, language=language, words=words), counted)
