"""What the tables of a score have in common: what they measure with, and rows that can be printed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from cosyvoice.frontend.language import Language
from cosyvoice.nano.corpus.reserved import reserved_sentences
from cosyvoice.nano.corpus.voices import NamedVoice
from cosyvoice.nano.score.judging import Judge, Judged, Sentence
from cosyvoice.nano.score.speaking import Server
from cosyvoice.nano.score.teacher import TeacherSpeech

TEACHER = "teacher"
WAYS = ("whole", "pieces")  # how the text comes
SEED = 1000
_SENTENCES: dict[Language, str] = {"zh": "mandarin", "en": "english"}


class TableRow(Protocol):
    """A dataclass; `line` is how it is printed."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def line(self) -> str: ...


@dataclass(frozen=True)
class Scoring:
    """One model under test: its server, and what judges it.

    voices: of the named ones. count: of how many sentences a language; other tables have numbers of their own.
    """

    work: Path
    model: Path
    label: str
    server: Server
    voices: Sequence[NamedVoice]
    count: int
    teacher: TeacherSpeech
    judge: Judge = field(default_factory=Judge)

    def ours(self, *names: str) -> Judged:
        """A folder for what this model says."""
        return Judged(Path(self.work, "score", self.label, *names))

    def teachers(self, name: str) -> Judged:
        """A folder for what teachers say, which all models share."""
        return Judged(self.work / "score" / TEACHER / name)


Table = Callable[[Scoring], Sequence[TableRow]]


def kept(language: Language) -> list[Sentence]:
    """The sentences of a language that no training or tuning may see."""
    return [Sentence(text, language) for text in reserved_sentences(_SENTENCES[language])]
