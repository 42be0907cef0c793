"""The words of a speech, spaced as in its text, for transcripts that are put together again from them."""

from __future__ import annotations

import re

from rtclient.messages import Mark
from rtclient.speech import Speech

_TAG = re.compile(r"<[^>]*>")


class Words:
    """Reads the marks of one speech as they come."""

    def __init__(self, speech: Speech) -> None:
        self._speech = speech
        self._taken = 0
        self._end = 0  # of the last word, in the text

    def take(self) -> list[tuple[str, Mark]]:
        """The words that have come since the last call. Each begins with a space if the text has one before it."""
        marks = self._speech.marks[self._taken :]
        self._taken += len(marks)
        return [(self._spaced(mark), mark) for mark in marks]

    def _spaced(self, mark: Mark) -> str:
        between = _TAG.sub("", self._speech.text[self._end : mark.offset])
        self._end = mark.offset + len(mark.text)
        return f" {mark.text}" if any(map(str.isspace, between)) else mark.text
