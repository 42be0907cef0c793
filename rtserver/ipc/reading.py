"""The messages between the front and the reader, which turns text into segments of ids."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from cosyvoice.frontend.lexicon_entry import LexiconEntry


@dataclass(frozen=True)
class Segment:
    """A clause of text as ids."""

    ids: list[int]
    # Number of ids at the start that join it to the text before. A talker sequence that begins here drops them.
    lead_ids: int
    # Whether it ends a sentence. A talker sequence that is long enough ends here.
    ends_sentence: bool
    # Where the clause begins and ends, in characters of all text sent.
    start: int = 0
    end: int = 0
    # The characters from `start` to `end`.
    text: str = ""
    # For each word of `text` its first id and the one after its last. Empty: not known.
    words: list[tuple[int, int]] = field(default_factory=list)
    # What the ids say: the normalised words, or phonemes.
    spoken: str = ""
    # The language that it is read in.
    language: str = ""
    # Silence that the text asks for here. A segment with silence has no ids.
    silence_ms: int = 0
    # How fast it is spoken, as a factor beside the speed of the utterance.
    rate: float = 1.0
    # Ids of a full stop, for speech that is closed after this clause for want of text.
    full_stop_ids: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class OpenText:
    """Begins the text of an utterance."""

    utterance: str
    # Language of all the text. None: the reader finds it out for each clause.
    language: str | None = None
    # Whether text is given out in small groups of words; else in clauses.
    words: bool = False
    # Language of text without letters at the very start.
    default_language: str = "en"
    # Whether tags and brackets are markup; else they are plain text.
    markup: bool = True
    # The voice by the name that the client gave; some entries of the server's lexicon are for one voice.
    voice: str = ""
    # The request's own entries, which count before the server's.
    lexicon: list[LexiconEntry] = field(default_factory=list)


BoundaryKind = Literal["flush", "end", "commit", "offer"]


@dataclass(frozen=True)
class Write:
    """Appends text."""

    utterance: str
    text: str
    # When the front sent it, in seconds of the monotonic clock.
    sent_s: float = 0.0


@dataclass(frozen=True)
class Boundary:
    """A boundary after the text written so far."""

    utterance: str
    # flush: all of it is given out, to be spoken to its end.
    # end: the same, and no more text comes.
    # commit: it is given out up to its last certain word boundary.
    # offer: the same, if these are some words together.
    kind: BoundaryKind
    # When the front sent it, in seconds of the monotonic clock.
    sent_s: float = 0.0


@dataclass(frozen=True)
class Drop:
    """Drops the text of an utterance."""

    utterance: str


@dataclass(frozen=True)
class ReaderReady:
    """The reader is loaded."""

    load_s: float


class NotAsWritten(NamedTuple):
    """Neighbouring characters of a text that are not spoken as they are written."""

    # Characters before them, in all text sent.
    offset: int
    text: str
    # Why a tag is not obeyed. Empty for characters that are left out, because the model cannot speak them.
    reason: str = ""


@dataclass(frozen=True)
class Read:
    """Segments of an utterance that later text cannot change."""

    utterance: str
    segments: list[Segment]
    # How many Boundary messages of the utterance have been answered.
    boundaries: int
    # What was found since the last answer.
    unspoken: list[NotAsWritten] = field(default_factory=list)
