"""Text that arrives in pieces of any size -> clauses with their text ids, as soon as they are certain.

Pure: no clock and no I/O; the reading of a clause (normalisation, phonemes, ids) is a function passed in. Where the
text is cut depends on the text alone (`boundary`), and every clause is read on its own: so the ids are the same
however the text arrives.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from cosyvoice.errors import TextError
from cosyvoice.frontend.boundary import (
    LONGEST_STRETCH,
    BoundaryKind,
    ClosingMark,
    CutWords,
    TextBoundary,
    find_boundary,
    last_word_boundary,
)
from cosyvoice.frontend.language import Language, is_cjk

MAX_WIDTH = 120  # Latin letters, about eight seconds of speech: few sentences have longer stretches without a mark
# Stretches of words in a hurry: up to so many characters from the sequence's start, so wide. What is read alone loses
# its neighbours ("the end" with another "the"), so stretches grow when the first sound is certain.
_WORD_WIDTHS = ((24, 8), (64, 16))
_WORD_WIDTH = 24  # beyond
_HAN_WORD_WIDTH = 24  # eight characters, or words would be found that are none


@dataclass(frozen=True)
class Piece:
    """What a reader gets: a clause of user text and what it must know of its surroundings.

    language_before: of the text before it; a piece without letters is read in it.
    language: forced, or None to find it out.
    after_text: something has been spoken before it in this sequence.
    spaced: a space stands between it and the text before.
    closing: the sign that ends it if it does not end in one.
    """

    text: str
    language_before: Language = "en"
    language: Language | None = None
    after_text: bool = False
    spaced: bool = False
    closing: ClosingMark = ""


@dataclass(frozen=True)
class Reading:
    """How a piece is spoken.

    text: normalised, or phonemes. ids: empty when there is nothing to speak.
    lead_ids: how many ids at the front only join it to the text before; a talker sequence that begins here drops them.
    unknown: characters or phonemes that could not be spoken.
    words: for each word of the piece (`words.words_of`) its first id and the one behind its last; empty: not known.
    """

    text: str
    ids: tuple[int, ...]
    language: Language
    lead_ids: int = 0
    unknown: tuple[str, ...] = ()
    words: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class ReadSegment:
    """A clause or sentence that will not change any more, with its reading.

    start, end: offsets in all characters sent so far, outer whitespace left out; `text` is what stands there.
    """

    start: int
    end: int
    text: str
    kind: BoundaryKind
    reading: Reading

    @property
    def ids(self) -> tuple[int, ...]:
        return self.reading.ids

    @property
    def ends_sentence(self) -> bool:
        return self.kind == "sentence"


class TextStream:
    """One utterance's text.

    read: turns a clause into ids. language: forced on all text; None finds it out clause by clause.
    default_language: of text without letters at the very start (a number).
    max_width: in Latin letters (a Han character counts three): longer stretches without punctuation are cut.
    cut_words: Mandarin word segmentation for that cut.
    words: cut in stretches of a few words, for speech that begins before a clause is complete.
    unknown: how often each character or phoneme could not be spoken.
    """

    def __init__(
        self,
        read: Callable[[Piece], Reading],
        language: Language | None = None,
        default_language: Language = "en",
        max_width: int = MAX_WIDTH,
        cut_words: CutWords | None = None,
        words: bool = False,
    ) -> None:
        self.unknown: Counter[str] = Counter()
        self._read = read
        self._forced = language
        self._language: Language = language or default_language
        self._max_width = max_width
        self._cut_words = cut_words
        self._words = words
        self._sequence_offset = 0
        # Text sent and not yet cut, and the offset of its first character.
        self._pending = ""
        self._offset = 0
        # The visible character before the pending text, and whether anything was spoken since the sequence began.
        self._last = ""
        self._spoken = False
        self._ended = False

    @property
    def sent(self) -> int:
        """Characters fed so far."""
        return self._offset + len(self._pending)

    def feed(self, text: str) -> list[ReadSegment]:
        """Appends text; words and numbers may be split anywhere. Returns the segments that are certain now.

        Raises TextError after `end`.
        """
        if self._ended:
            raise TextError(f"expected no text after the end of the stream, found {len(text)} characters")
        self._pending += text
        return self._cut(final=False)

    def commit(self) -> list[ReadSegment]:
        """Cuts at the last place between two words that is certain, for speech that has no text left."""
        boundary = last_word_boundary(self._pending, self._cut_words)
        if boundary is None:
            return []
        segment = self._segment(self._pending[: boundary.end], self._offset, boundary)
        self._drop(boundary.end)
        return [] if segment is None else [segment]

    def flush(self) -> list[ReadSegment]:
        """Everything fed so far will be spoken to its end; text fed later begins a new sequence."""
        segments = self._cut(final=True)
        self._sequence_offset = self._offset
        self._spoken = False
        self._last = ""
        return segments

    def end(self) -> list[ReadSegment]:
        """As `flush`, and no more text may come."""
        self._ended = True
        return self.flush()

    def _cut(self, final: bool) -> list[ReadSegment]:
        segments: list[ReadSegment] = []
        window = LONGEST_STRETCH * self._max_width
        at = 0
        while at < len(self._pending):
            text = self._pending[at : at + window]
            boundary = find_boundary(text, final, self._width(at), self._cut_words, window)
            if boundary is None:
                break
            end = at + boundary.end
            if final and not self._pending[end:].strip():
                end = len(self._pending)
                boundary = TextBoundary(end - at, "sentence", ".")
            segment = self._segment(self._pending[at:end], self._offset + at, boundary)
            if segment is not None:
                segments.append(segment)
            at = end
        self._drop(at)
        return segments

    def _drop(self, characters: int) -> None:
        self._pending = self._pending[characters:]
        self._offset += characters

    def _width(self, at: int) -> int:
        """The width of the stretch that begins at `at` of the pending text. It depends on the text alone, and is known
        before anything can be cut by it."""
        if not self._words:
            return self._max_width
        first = next((c for c in self._pending[at : at + _HAN_WORD_WIDTH] if c.isalpha()), "")
        if not first or is_cjk(first):
            return _HAN_WORD_WIDTH
        position = self._offset + at - self._sequence_offset
        return next((width for end, width in _WORD_WIDTHS if position < end), _WORD_WIDTH)

    def _segment(self, raw: str, offset: int, boundary: TextBoundary) -> ReadSegment | None:
        text = raw.strip()
        if not text:
            return None
        start = offset + len(raw) - len(raw.lstrip())
        spaced = start > offset and self._last != "" and not is_cjk(self._last) and not is_cjk(text[0])
        reading = self._read(
            Piece(text, self._language, self._forced, after_text=self._spoken, spaced=spaced, closing=boundary.closing)
        )
        self._language = reading.language
        self._last = text[-1]
        self.unknown.update(reading.unknown)
        if not reading.ids:
            return None
        self._spoken = True
        return ReadSegment(start, start + len(text), text, boundary.kind, reading)
