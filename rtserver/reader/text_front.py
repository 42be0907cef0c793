"""The front's text side: what a user writes to segments of text ids for the engine. Needs no torch."""

from __future__ import annotations

from collections.abc import Iterable

from cosyvoice.config import ModelConfig
from cosyvoice.frontend.language import Language, main_language
from cosyvoice.frontend.mandarin import cut_words
from cosyvoice.frontend.reader import Reader
from cosyvoice.frontend.text_stream import ReadSegment, TextStream
from cosyvoice.frontend.tokenizer import Tokenizer
from rtserver.ipc.reading import Segment


class TextFront:
    """Reads text for one checkpoint. Raises CheckpointError when its tokenizer files do not fit."""

    def __init__(self, config: ModelConfig) -> None:
        self.tokenizer = Tokenizer.load(config)
        self._reader = Reader.for_model(config, self.tokenizer)

    def load(self, language: Language) -> float:
        """Loads what reading a language needs; returns the seconds it took."""
        return self._reader.load(language)

    def stream(
        self, language: Language | None = None, *, default_language: Language = "en", words: bool = False
    ) -> TextStream:
        """A new utterance's text; see TextStream for the arguments."""
        return TextStream(self._reader, language, default_language, cut_words=cut_words, words=words)


def engine_segments(segments: Iterable[ReadSegment]) -> list[Segment]:
    """Segments as the engine takes them."""
    return [
        Segment(list(s.ids), s.reading.lead_ids, s.ends_sentence, s.start, s.end, s.text, list(s.reading.words))
        for s in segments
    ]


def language_of(text: str) -> Language:
    """The language most of a text is in."""
    return main_language(text, "en")
