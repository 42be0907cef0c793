"""The front's text side: what a user writes to segments of text ids for the engine. Needs no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cosyvoice.config import ModelConfig
from cosyvoice.frontend.language import BOTH, Language, main_language
from cosyvoice.frontend.lexicon import Lexicon
from cosyvoice.frontend.lexicon_entry import LexiconEntry
from cosyvoice.frontend.mandarin import cut_words, load_words
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
_OTHERS = "1 Wort, un mot, una palabra, una parola, слово, 말, ことば。"


class TextFront:
    """Reads text for one checkpoint. Raises CheckpointError when its tokenizer files do not fit."""

    def __init__(self, config: ModelConfig, lexicon: Sequence[LexiconEntry] = ()) -> None:
        """lexicon: how some words are spoken, in all texts or in those of one voice."""
        self.tokenizer = Tokenizer.load(config)
        self.reader = Reader.for_model(config, self.tokenizer)
        self._lexicon = Lexicon(entry for entry in lexicon if not entry.voice)
        self._lexicon_of_voice = {
            voice: Lexicon((entry for entry in lexicon if entry.voice == voice), self._lexicon)
            for voice in {entry.voice for entry in lexicon if entry.voice}
        }

    def load(self, language: Language) -> None:
        """Loads what reading a language needs, and reads a text, so that a user's first text does not wait."""
        self.reader.load(language)
        self._read(WARM_UP_TEXTS.get(language, ""), language)

    def load_others(self) -> None:
        """Loads what a text may need of languages that nobody asked for. Any text may have Han characters, which are
        cut into words; a released checkpoint speaks more languages."""
        load_words()
        if others := self.reader.languages - BOTH:
            for language in others:
                self.reader.load(language)
            self._read(_OTHERS, None)

    def _read(self, text: str, language: Language | None) -> None:
        stream = self.stream(language, words=True)
        stream.feed(text)
        stream.end()

    def stream(
        self,
        language: Language | None = None,
        *,
        default_language: Language = "en",
        words: bool = False,
        markup: bool = True,
        voice: str = "",
        lexicon: Sequence[LexiconEntry] = (),
    ) -> TextStream:
        """A new utterance's text; see TextStream for the arguments. `lexicon` counts before the voice's, and that
        before the lexicon of all texts."""
        below = self._lexicon_of_voice.get(voice, self._lexicon)
        own = [entry for entry in lexicon if entry.voice in ("", voice)]
        entries = Lexicon(own, below) if own else below
        return TextStream(
            self.reader,
            language,
            default_language,
            cut_words=cut_words,
            words=words,
            markup=markup,
            languages=self.reader.languages,
            lexicon=entries,
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
            full_stop_ids=[] if s.ends_sentence else list(s.reading.full_stop_ids),
        )
        for s in segments
    ]


def language_of(text: str) -> Language:
    """The language most of a text is in."""
    return main_language(text, "en")
