"""The front's text side: what a user writes to segments of text ids for the engine. Needs no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cosyvoice.config import ModelConfig
from cosyvoice.frontend.language import Language, main_language
from cosyvoice.frontend.mandarin import cut_words
from cosyvoice.frontend.reader import Reader
from cosyvoice.frontend.text_stream import ReadSegment, TextStream
from cosyvoice.frontend.tokenizer import Tokenizer
from rtserver.ipc.reading import Segment

# Some packages load what they need at the first number, date or word that wants it, which takes seconds. These texts
# have one of each.
WARM_UP_TEXTS: Mapping[Language, str] = {
    "en": "On May 3rd at 3:45 Dr. Smith owed $12.50, or 21.5%, for a flibbertigibbetish 1/2.",
    "zh": "2026年5月3日下午3:45，李先生付了¥12.50，约占21.5%，请稍等。",
}


class TextFront:
    """Reads text for one checkpoint. Raises CheckpointError when its tokenizer files do not fit."""

    def __init__(self, config: ModelConfig) -> None:
        self.tokenizer = Tokenizer.load(config)
        self._reader = Reader.for_model(config, self.tokenizer)

    def load(self, language: Language) -> None:
        """Loads what reading a language needs, and reads a text, so that a user's first text does not wait."""
        self._reader.load(language)
        stream = self.stream(language, words=True)
        stream.feed(WARM_UP_TEXTS.get(language, ""))
        stream.end()

    def stream(
        self,
        language: Language | None = None,
        *,
        default_language: Language = "en",
        words: bool = False,
        markup: bool = True,
    ) -> TextStream:
        """A new utterance's text; see TextStream for the arguments."""
        languages = self._reader.languages
        return TextStream(
            self._reader,
            language,
            default_language,
            cut_words=cut_words,
            words=words,
            markup=markup,
            languages=languages,
        )


def engine_segments(segments: Iterable[ReadSegment]) -> list[Segment]:
    """Segments as the engine takes them."""
    return [
        Segment(
            ids=list(s.ids),
            lead_ids=s.reading.lead_ids,
            ends_sentence=s.ends_sentence,
            start=s.start,
            end=s.end,
            text=s.text,
            words=list(s.reading.words),
            spoken=s.reading.text,
            language=s.reading.language,
            silence_ms=s.silence_ms,
            rate=s.rate,
        )
        for s in segments
    ]


def language_of(text: str) -> Language:
    """The language most of a text is in."""
    return main_language(text, "en")
