"""Normalisation of cleaned text by language."""

from __future__ import annotations

import threading
import time

from cosyvoice.frontend.chinese import normalize_chinese
from cosyvoice.frontend.english import normalize_english
from cosyvoice.frontend.english_numbers import cardinal
from cosyvoice.frontend.language import Language
from cosyvoice.frontend.other_languages import other_language


class Normalizer:
    """Puts numbers, dates, money and so on into words.

    load_s: seconds that it took to load wetext, which converts traditional characters; 0 before it is loaded.
    """

    def __init__(self) -> None:
        self.load_s = 0.0
        self._lock = threading.Lock()
        self._converter: _Converter | None = None

    def load(self, language: Language) -> None:
        """Loads what the rules of `language` need."""
        if language == "en":
            cardinal("1")
        elif language != "zh":
            other_language(language).normalize("1")

    def normalize(self, text: str, language: Language, before: str = "") -> str:
        """`text` (cleaned, without markup) as it is spoken. No text makes it raise.

        before: the text before it in this sequence. It tells a code from a quantity.
        """
        if language == "zh":
            return normalize_chinese(text, before)
        return normalize_english(text, before) if language == "en" else other_language(language).normalize(text)

    def simplified(self, text: str) -> str:
        """`text` in simplified characters, which the Mandarin G2P needs. The original does not convert."""
        start = time.perf_counter()
        with self._lock:
            if self._converter is None:
                self._converter = _Converter()
                self.load_s += time.perf_counter() - start
        return self._converter(text)


class _Converter:
    """wetext's conversion of traditional to simplified characters. Importing it reads all its grammars from disk."""

    def __init__(self) -> None:
        import wetext

        self._preprocess = wetext.preprocess

    def __call__(self, text: str) -> str:
        return str(self._preprocess(text, traditional_to_simple=True))
