"""One row of the corpus: a text that a voice speaks. Its key, and so whether it is held out, follows from the text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cosyvoice.frontend.language import Language
from cosyvoice.nano.lines import whole_lines

_HELD_OUT_EVERY = 97  # about 1 %


@dataclass(frozen=True)
class Row:
    """What is to be spoken. kind: where the text comes from; style: a manner of speaking, empty for plain speech."""

    voice: str
    language: Language
    kind: str
    text: str
    style: str = field(default="", kw_only=True)

    @property
    def text_id(self) -> int:
        """A number that a text has in every voice and on every machine."""
        return int(hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()[:8], 16)

    @property
    def group(self) -> str:
        """The voice; all brief voices are one group."""
        return self.voice.split("-")[0]

    @property
    def stem(self) -> str:
        """The name of its sound among those of the voice."""
        return f"{self.text_id:08x}-{self.style}" if self.style else f"{self.text_id:08x}"

    @property
    def key(self) -> str:
        return f"{self.voice}-{self.stem}"

    @property
    def held_out(self) -> bool:
        """Whether no training may see this text, in any voice."""
        return self.text_id % _HELD_OUT_EVERY == 0


@dataclass(frozen=True)
class Utterance(Row):
    """A row that has been spoken: the phonemes the teacher was given and the length of its sound."""

    phonemes: str
    seconds: float

    def fields(self) -> dict[str, Any]:
        """The utterance as an index keeps it."""
        return {name: value for name, value in asdict(self).items() if name != "style" or value}

    def line(self) -> str:
        """The utterance as a line of the corpus's index."""
        return json.dumps(self.fields(), ensure_ascii=False)


def read_index(path: Path) -> Iterator[Utterance]:
    """The utterances of an index, in the order they were spoken; a last line cut off by a crash is left out."""
    for line in whole_lines(path):
        yield Utterance(**json.loads(line))
