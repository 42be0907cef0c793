"""When each word of a text is heard, estimated from how many text ids are spoken by the end of each piece of audio.

Pure. Within a clause its ids are shared out among its words by their characters.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from cosyvoice.frontend.language import HAN
from rtserver.messages.engine import Segment

# A Han character with the punctuation behind it, or a run of anything else without space.
_WORD = re.compile(rf"[{HAN}][^\w\s]*|[^\s{HAN}]+")


@dataclass(frozen=True)
class WordTime:
    """A word, where it stands in all text sent, and when it is heard."""

    text: str
    offset: int
    start_ms: int
    end_ms: int


@dataclass(frozen=True)
class _Word:
    text: str
    offset: int
    first_id: float  # ids fed before it, and to its end
    last_id: float


class Marks:
    """One utterance's words. Each gets its time once, in order."""

    def __init__(self) -> None:
        self._waiting: deque[_Word] = deque()
        self._ids = 0.0  # fed so far
        self._spoken_ids = 0.0
        self._end_ms = 0.0  # of the audio so far
        self._last_ms = 0  # where the last word ends
        self._starts_ms: list[int] = []  # of the words that have a time, and where their text ends
        self._text_ends: list[int] = []

    def add(self, segments: Sequence[Segment]) -> None:
        """Takes text that was fed to the engine."""
        for segment in segments:
            words = list(_WORD.finditer(segment.text))
            total = sum(len(w[0]) for w in words)
            at = self._ids
            for word in words:
                last = at + len(segment.ids) * len(word[0]) / total
                self._waiting.append(_Word(word[0], segment.start + word.start(), at, last))
                at = last
            self._ids += len(segment.ids)

    def audio(self, end_ms: float, position_ids: float) -> list[WordTime]:
        """The words that begin in audio up to `end_ms`, by whose end `position_ids` of the ids fed are spoken."""
        start_ms, first = self._end_ms, self._spoken_ids
        spoken = max(position_ids, first)
        self._end_ms, self._spoken_ids = end_ms, spoken
        if spoken == first:
            return []
        length_ms, ids = end_ms - start_ms, spoken - first
        # What goes on behind this audio: a pause in it must not make the word's end as slow, and put off all behind it.
        later_ms_per_id = min(length_ms / ids, end_ms / spoken)
        times = []
        while self._waiting and self._waiting[0].first_id < spoken:
            word = self._waiting.popleft()
            last = min(word.last_id, spoken)
            start = start_ms + length_ms * ((word.first_id - first) / ids)
            end = start_ms + length_ms * ((last - first) / ids)
            times.append(self._time(word, start, end + (word.last_id - last) * later_ms_per_id))
        return times

    def finish(self) -> list[WordTime]:
        """The words that were not placed yet, at the end of the audio."""
        words = [self._time(word, self._end_ms, self._end_ms) for word in self._waiting]
        self._waiting.clear()
        return words

    def text_end_at(self, position_ms: float) -> int:
        """Characters of all text sent up to the end of the last word that begins before a position of the audio."""
        words = bisect_left(self._starts_ms, position_ms)
        return self._text_ends[words - 1] if words else 0

    def _time(self, word: _Word, start_ms: float, end_ms: float) -> WordTime:
        start = max(self._last_ms, int(start_ms))
        self._last_ms = max(start, int(end_ms))
        self._starts_ms.append(start)
        self._text_ends.append(word.offset + len(word.text))
        return WordTime(word.text, word.offset, start, self._last_ms)
