"""How long a sentence is for a model."""

from __future__ import annotations

from pathlib import Path

from cosyvoice.nano.corpus.reading import TextReader
from cosyvoice.nano.data.phonemes import PhonemeIds
from cosyvoice.nano.score.judging import Sentence


class TextIds:
    """How many text ids a model has for a sentence."""

    def __init__(self, model: Path) -> None:
        self._ids = PhonemeIds(model)
        self._reader = TextReader()

    def of(self, sentence: Sentence) -> int:
        return len(self._ids.of(self._reader.phonemes(sentence.text, sentence.language) or ""))
