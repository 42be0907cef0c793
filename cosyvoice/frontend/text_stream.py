"""Text that arrives in pieces of any size becomes clauses with text ids, as soon as they are certain.

Pure: no clock and no I/O. The function that reads a clause (normalisation, phonemes, ids) is an argument. Where the
text is cut depends on the text alone (`boundary`), and each clause is read alone. So the ids are the same whatever the
pieces in which the text arrives.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass, field, replace

from cosyvoice.errors import TextError
from cosyvoice.frontend.boundary import (
    LONGEST_LINK,
    BoundaryKind,
    ClosingMark,
    CutWords,
    TextBoundary,
    find_boundary,
    last_word_boundary,
    width_of,
)
from cosyvoice.frontend.directives import LONGEST_TAG, Directive, Directives
from cosyvoice.frontend.language import LANGUAGES, Language, is_cjk
from cosyvoice.frontend.lexicon import Lexicon
from cosyvoice.frontend.spans import Spans, language_warning
from cosyvoice.frontend.unspoken import Unspoken

MAX_WIDTH = 120  # Latin letters, about eight seconds of speech; few sentences have this many without punctuation
# Widths of stretches of words: (up to this place in the sequence, in characters; this width). The first stretches are
# short, so that speech begins soon. Later ones are longer, because words are read better with their neighbours (the
# "the" of "the end" sounds different).
SHORT_STRETCH = 8
_WORD_WIDTHS = ((24, SHORT_STRETCH), (64, 16))
_WORD_WIDTH = 24  # after those
MOST_HELD = LONGEST_LINK + LONGEST_TAG  # characters that wait until they are certain
MOST_SILENCE_MS = 600_000  # in one text
CONTEXT = 40  # characters of the text before a piece; they tell a code from a quantity
_HAN_WORD_WIDTH = 24  # eight characters; with fewer the word segmentation makes mistakes


@dataclass(frozen=True)
class Piece:
    """What a reader gets: a clause of user text, and what it must know of the text before it."""

    text: str
    # Language of the text before. A piece without letters is read in it.
    language_before: Language = "en"
    # The language to read in; None: found from the text.
    language: Language | None = None
    # Something was spoken before it in this sequence.
    after_text: bool = False
    # There is a space between it and the text before.
    spaced: bool = False
    # The text before it in this sequence, as it was sent: at most `CONTEXT` characters.
    before: str = ""
    # The mark to add when it does not end in one.
    closing: ClosingMark = ""
    # Whether its tags and brackets are markup.
    markup: bool = True
    # How some words of it are spoken.
    lexicon: Lexicon | None = None


@dataclass(frozen=True)
class Reading:
    """How a piece is spoken."""

    # Normalised text, or phonemes.
    text: str
    # Empty when there is nothing to speak.
    ids: tuple[int, ...]
    language: Language
    # Number of ids at the start that join it to the text before. A talker sequence that begins here drops them.
    lead_ids: int = 0
    # Characters or phonemes that cannot be spoken.
    unknown: tuple[str, ...] = ()
    # Characters of the piece that are left out, with their places in it.
    unspoken: tuple[Unspoken, ...] = ()
    # For each word of the piece (`words.words_of`): its first id, and the one after its last. Empty: not known.
    words: tuple[tuple[int, int], ...] = ()
    # A full stop in this language, to end speech where the text has not ended.
    full_stop_ids: tuple[int, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class ReadSegment:
    """A clause, sentence or stretch of words that cannot change any more, with its reading."""

    # Place of its first character in all text that was fed, without the whitespace around it.
    start: int
    # One after the place of its last character.
    end: int
    # The text at that place.
    text: str
    kind: BoundaryKind
    reading: Reading
    # Silence that a tag asks for. Then there is nothing to read, and `text` is empty.
    silence_ms: int = 0
    # How fast it is spoken, as a factor.
    rate: float = 1.0

    @property
    def ids(self) -> tuple[int, ...]:
        return self.reading.ids

    @property
    def ends_sentence(self) -> bool:
        return self.kind == "sentence"


_NOTHING = Reading("", (), "en")
# How text ends before a tag.
_ENDS_SENTENCE = TextBoundary(0, "sentence", ".")
_ENDS_CLAUSE = TextBoundary(0, "clause", ",")
_ENDS_WORD = TextBoundary(0, "word")


class TextStream:
    """The text of one utterance.

    read: turns a clause into ids.
    language: of all text; None: found clause by clause.
    default_language: of text without letters (a number) at the start.
    max_width: longer stretches without punctuation are cut; in Latin letters, of which a Han character counts as three.
    cut_words: Mandarin word segmentation for that cut.
    markup: whether tags and brackets are markup; else they are plain text.
    languages: those that a tag may ask for.
    words: cut into stretches of a few words, so that speech can begin before a clause is complete.
    lexicon: how some words are spoken. What may become one of them is held back.
    unknown: how often each character or phoneme could not be spoken.
    unspoken: the characters that were left out so far and the tags that are not obeyed as written, with their places in
    all text that was fed.
    """

    def __init__(
        self,
        read: Callable[[Piece], Reading],
        language: Language | None = None,
        default_language: Language = "en",
        max_width: int = MAX_WIDTH,
        cut_words: CutWords | None = None,
        words: bool = False,
        markup: bool = True,
        languages: Set[Language] = frozenset(LANGUAGES),
        lexicon: Lexicon | None = None,
    ) -> None:
        self.unknown: Counter[str] = Counter()
        self.unspoken: list[Unspoken] = []
        self._read = read
        self._forced = language
        self._language: Language = language or default_language
        self._max_width = max_width
        self._cut_words = cut_words
        self._words = words
        self._lexicon = lexicon
        self._sequence_offset = 0
        # Text that was fed and is not cut yet, and the place of its first character.
        self._pending = ""
        self._offset = 0
        # The last visible character before the pending text, and whether something was spoken in this sequence.
        self._last = ""
        self._before = ""
        self._spoken = False
        self._ended = False
        # Whether something was spoken in this text, and the silence of all its tags so far.
        self._begun = False
        self._silence_ms = 0
        self._markup = markup
        self._directives = Directives()
        self._languages = languages
        self._spans = Spans()
        # There is a space between the pending text and the text before, which was cut at a tag.
        self._apart = False

    @property
    def sent(self) -> int:
        """Characters fed so far."""
        return self._offset + self.held

    @property
    def held(self) -> int:
        """Characters that were fed and are not cut yet, at most `MOST_HELD`."""
        return len(self._pending) + self._directives.held

    def feed(self, text: str) -> list[ReadSegment]:
        """Appends text, which may be split anywhere, also in a word or number. Returns the segments that are certain
        now.

        Raises TextError after `end`.
        """
        return list(self.iter_feed(text))

    def iter_feed(self, text: str) -> Iterator[ReadSegment]:
        """Like `feed`; a segment is read when it is asked for. All must be taken before the next call."""
        if self._ended:
            raise TextError(f"expected no text after the end of the stream, found {len(text)} characters")
        for part in self._directives.feed(text) if self._markup else [text]:
            if isinstance(part, Directive):
                yield from self._obey(part)
            else:
                self._pending += part
                yield from self._cut(final=False)

    def _obey(self, directive: Directive) -> Iterator[ReadSegment]:
        """Cuts at a tag, which is no text."""
        if directive.span:
            yield from self._cross(directive)
            return
        closed = _ENDS_SENTENCE if directive.ends_sentence else _ENDS_CLAUSE
        yield from self._cut(final=True, closed=closed)
        start = self._offset
        self._offset += len(directive.tag)
        wanted_ms = directive.silence_ms if self._begun or not directive.between else 0
        silence_ms = min(wanted_ms, MOST_SILENCE_MS - self._silence_ms)
        warning = directive.warning
        if silence_ms < wanted_ms:
            warning = f"expected at most {MOST_SILENCE_MS // 1000} s of silence in a text, found more"
        if warning:
            self.unspoken.append(Unspoken(start, directive.tag, warning))
        if silence_ms:
            self._silence_ms += silence_ms
            self._begin_sequence()
            yield ReadSegment(start, self._offset, "", closed.kind, _NOTHING, silence_ms)

    def _cross(self, directive: Directive) -> Iterator[ReadSegment]:
        """Cuts where a span begins or ends, if the rate or the language changes there."""
        start = self._offset + len(self._pending)
        warning = directive.warning
        if directive.span == "begins" and directive.name == "lang":
            warning = language_warning(directive.language, self._languages)
        if warning:
            self.unspoken.append(Unspoken(start, directive.tag, warning))
            directive = replace(directive, language="") if directive.language else directive
        before, after = self._spans, self._spans.crossed(directive)
        if before.rate == after.rate and before.language == after.language:
            self._spans = after
            self._pending += directive.tag  # a tag that the reader passes over
            yield from self._cut(final=False)
            return
        apart = self._pending[-1].isspace() if self._pending else self._apart
        yield from self._cut(final=True, closed=_ENDS_WORD if before.rate == after.rate else _ENDS_CLAUSE)
        self._apart = apart
        self._offset += len(directive.tag)
        self._spans = after
        if before.rate != after.rate:
            self._begin_sequence()

    def commit(self, least_width: int = 0) -> list[ReadSegment]:
        """Cuts at the last certain place between two words, unless the text before it is narrower than `least_width`.
        For speech that has no text left."""
        boundary = last_word_boundary(self._pending, self._cut_words, markup=self._markup, lexicon=self._lexicon)
        if boundary is None or width_of(self._pending[: boundary.end]) < least_width:
            return []
        segment = self._taken(boundary)
        return [] if segment is None else [segment]

    def flush(self) -> list[ReadSegment]:
        """Ends the sequence: returns segments for all text so far. Text that is fed later begins a new sequence."""
        return list(self.iter_flush())

    def iter_flush(self) -> Iterator[ReadSegment]:
        """Like `flush`, as `iter_feed` is to `feed`."""
        self._pending += self._directives.flush()
        yield from self._cut(final=True)
        self._begin_sequence()

    def _begin_sequence(self) -> None:
        self._sequence_offset = self._offset
        self._spoken = False
        self._last = ""
        self._before = ""

    def end(self) -> list[ReadSegment]:
        """Like `flush`, and no more text may be fed."""
        return list(self.iter_end())

    def iter_end(self) -> Iterator[ReadSegment]:
        """Like `end`, as `iter_feed` is to `feed`."""
        self._ended = True
        return self.iter_flush()

    def _cut(self, final: bool, closed: TextBoundary = _ENDS_SENTENCE) -> Iterator[ReadSegment]:
        """The segments that are certain. final: all of the text is, and `closed` says how it ends."""
        while self._pending:
            boundary = find_boundary(
                self._pending[:LONGEST_LINK],
                final,
                self._width(),
                self._cut_words,
                markup=self._markup,
                lexicon=self._lexicon,
            )
            if boundary is None:
                return
            if final and not self._pending[boundary.end :].strip():
                boundary = replace(closed, end=len(self._pending))
            segment = self._taken(boundary)
            if segment is not None:
                yield segment

    def _taken(self, boundary: TextBoundary) -> ReadSegment | None:
        """Reads the pending text before a boundary, which is pending no more."""
        segment = self._segment(self._pending[: boundary.end], self._offset, boundary)
        self._pending = self._pending[boundary.end :]
        self._offset += boundary.end
        return segment

    def _width(self) -> int:
        """The longest width of the stretch that begins the pending text. It depends on the text alone."""
        if not self._words:
            return self._max_width
        first = next((c for c in self._pending[:_HAN_WORD_WIDTH] if c.isalpha()), "")
        if not first or is_cjk(first):
            return _HAN_WORD_WIDTH
        position = self._offset - self._sequence_offset
        return next((width for end, width in _WORD_WIDTHS if position < end), _WORD_WIDTH)

    def _segment(self, raw: str, offset: int, boundary: TextBoundary) -> ReadSegment | None:
        text = raw.strip()
        if not text:
            return None
        start = offset + len(raw) - len(raw.lstrip())
        glued = self._last in tuple(".!?") and text[0].isascii() and text[0].isalpha()  # "Great.See you"
        spaced = (
            (start > offset or glued or self._apart)
            and self._last != ""
            and not is_cjk(self._last)
            and not is_cjk(text[0])
        )
        reading = self._read(
            Piece(
                text,
                self._language,
                self._spans.language or self._forced,
                after_text=self._spoken,
                spaced=spaced,
                before=(self._before + raw[: start - offset])[-CONTEXT:],
                closing=boundary.closing,
                markup=self._markup,
                lexicon=self._lexicon,
            )
        )
        self._before = (self._before + raw)[-CONTEXT:]
        self._apart = False
        if self._spans.language is None:
            self._language = reading.language
        self._last = text[-1]
        self.unknown.update(reading.unknown)
        self.unspoken += [left_out.moved(start) for left_out in reading.unspoken]
        if not reading.ids:
            return None
        self._spoken = self._begun = True
        return ReadSegment(start, start + len(text), text, boundary.kind, reading, rate=self._spans.rate)
