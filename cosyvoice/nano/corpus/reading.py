"""How a text is read for the teachers: with the very front end that serves the checkpoint."""

from __future__ import annotations

from cosyvoice.config import ModelConfig
from cosyvoice.frontend.language import Language
from cosyvoice.frontend.mandarin import cut_words
from cosyvoice.frontend.reader import Reader
from cosyvoice.frontend.text_stream import TextStream
from cosyvoice.frontend.tokenizer import Tokenizer
from cosyvoice.models import NANO


class TextReader:
    """Text -> the phonemes that the talker is given for it."""

    def __init__(self) -> None:
        config = ModelConfig.load(NANO)
        self._reader = Reader.for_model(config, Tokenizer.load(config))

    def phonemes(self, text: str, language: Language) -> str | None:
        """The phonemes of a whole text; None when part of it cannot be spoken."""
        stream = TextStream(self._reader, language, language, cut_words=cut_words)
        segments = [*stream.feed(text), *stream.end()]
        return None if stream.unknown else "".join(segment.reading.text for segment in segments) or None
