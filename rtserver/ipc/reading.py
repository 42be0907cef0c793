"""The messages between the front and the reader: text to segments of ids."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Segment:
    """A clause of text as ids. The first `lead_ids` only join it to the text before, and go where a talker sequence
    begins with it; `ends_sentence` marks where one may be cut. start, end: where it stands in all characters sent;
    `text` is what stands there, and `words` the first id and the one behind the last of each of its words; empty: not
    known."""

    ids: list[int]
    lead_ids: int
    ends_sentence: bool
    start: int = 0
    end: int = 0
    text: str = ""
    words: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True)
class OpenText:
    """Begins an utterance's text.

    language: forced on all of it; None finds it out clause by clause. words: commit it in small groups of words instead
    of clauses. default_language: of text without letters at the very start.
    """

    utterance: str
    language: str | None = None
    words: bool = False
    default_language: str = "en"


@dataclass(frozen=True)
class Write:
    """Appends text."""

    utterance: str
    text: str


@dataclass(frozen=True)
class Boundary:
    """After the text written so far: `flush` will speak it to its end, `end` too and no more comes, `commit` cuts it at
    its last certain word boundary."""

    utterance: str
    kind: Literal["flush", "end", "commit"]


@dataclass(frozen=True)
class Drop:
    """Forget an utterance's text."""

    utterance: str


@dataclass(frozen=True)
class ReaderReady:
    """The reader is loaded."""

    load_s: float


@dataclass(frozen=True)
class Read:
    """Segments that are certain now. `boundaries` counts the Boundary messages of the utterance that are answered.
    unspoken: characters that have no sound, so far."""

    utterance: str
    segments: list[Segment]
    boundaries: int
    unspoken: dict[str, int] = field(default_factory=dict)
