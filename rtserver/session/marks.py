"""When each word of a text is heard. Pure.

A word's time follows from the times at which its text ids begin. Where those are not known, it is estimated from the
number of text ids that are spoken by the end of each piece of audio. Where the reader does not say which ids belong to
which word of a clause, each word gets a share of the clause's ids by its number of characters.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from cosyvoice.frontend.words import words_of
from rtserver.ipc.reading import Segment


@dataclass(frozen=True)
class WordTime:
    """A word and when it is heard."""

    text: str
    # Characters of all text sent before it.
    offset: int
    start_ms: int
    end_ms: int
    # Whether the time is an estimate, because the times of its text ids are not known.
    estimated: bool = True


@dataclass(frozen=True)
class _Word:
    text: str
    offset: int
    # Ids fed before the word.
    first_id: float
    # Ids fed up to the word's end.
    last_id: float


class Marks:
    """The words of one utterance. Each gets its time once, in order."""

    def __init__(self) -> None:
        self._waiting: deque[_Word] = deque()
        self._ids = 0.0  # fed so far
        self._spoken_ids = 0.0
        self._end_ms = 0.0  # end of the audio so far
        self._last_ms = 0  # end of the last word
        self._id_starts_ms: list[float] = []
        self._estimated = True
        self._starts_ms: list[int] = []  # start of each word that has a time
        self._text_ends: list[int] = []  # the same words: where their text ends, in characters of all text

    def add(self, segments: Sequence[Segment]) -> None:
        """Adds text that was fed to the engine."""
        for segment in segments:
            words = list(words_of(segment.text))
            spans: Sequence[tuple[float, float]] = segment.words
            if len(spans) != len(words):
                spans = _shared([len(word[0]) for word in words], len(segment.ids))
            for word, (first, last) in zip(words, spans):
                offset = segment.start + word.start()
                self._waiting.append(_Word(word[0], offset, self._ids + first, self._ids + last))
            self._ids += len(segment.ids)

    def timed(self, first_id: int, starts_ms: Sequence[float], end_ms: float) -> list[WordTime]:
        """The words that begin before `end_ms` of the audio, from known times: the ids from `first_id` on begin at
        `starts_ms`."""
        self._estimated, self._end_ms = False, end_ms
        known = self._id_starts_ms
        known += starts_ms[max(0, len(known) - first_id) :]
        times = []
        while self._waiting and self._waiting[0].first_id < len(known):
            word = self._waiting.popleft()
            start = _between(known, word.first_id)
            if word.last_id <= len(known) - 1:
                end = _between(known, word.last_id)
            else:  # it ends after this audio. Half of its estimated rest, so that it does not delay the next word
                end = max(start, known[-1]) + (word.last_id - len(known) + 1) * end_ms / len(known) / 2
            times.append(self._time(word, start, end))
        return times

    def audio(self, end_ms: float, position_ids: float) -> list[WordTime]:
        """The words that begin before `end_ms` of the audio, estimated: `position_ids` ids are spoken by then."""
        start_ms, first = self._end_ms, self._spoken_ids
        spoken = max(position_ids, first)
        self._end_ms, self._spoken_ids = end_ms, spoken
        if spoken == first:
            return []
        length_ms, ids = end_ms - start_ms, spoken - first
        # For the last word, which ends after this audio. A pause in this audio must not stretch that rest of the word,
        # because every later word would be late.
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
        """At the end of the audio: the words that have no time yet. They get the end as their time."""
        words = [self._time(word, self._end_ms, self._end_ms) for word in self._waiting]
        self._waiting.clear()
        return words

    def text_end_at(self, position_ms: float) -> int:
        """How much text is heard up to a position of the audio, in characters: to the end of the last word that begins
        before it."""
        words = bisect_left(self._starts_ms, position_ms)
        return self._text_ends[words - 1] if words else 0

    def _time(self, word: _Word, start_ms: float, end_ms: float) -> WordTime:
        start = max(self._last_ms, int(start_ms))
        self._last_ms = max(start, int(end_ms))
        self._starts_ms.append(start)
        self._text_ends.append(word.offset + len(word.text))
        return WordTime(word.text, word.offset, start, self._last_ms, self._estimated)


def _shared(lengths: Sequence[int], ids: int) -> list[tuple[float, float]]:
    """The first and last id of each word, when a clause's ids are shared out by the lengths of its words."""
    total, at = sum(lengths), 0.0
    spans = []
    for length in lengths:
        spans.append((at, at + ids * length / total))
        at = spans[-1][1]
    return spans


def _between(starts_ms: Sequence[float], place: float) -> float:
    """The time of a fractional id, between the times of its two neighbours."""
    index = int(place)
    start = starts_ms[index]
    return start + (starts_ms[index + 1] - start) * (place - index) if index + 1 < len(starts_ms) else start
