"""Normalisation of cleaned text by language. wetext is loaded when the first text needs it."""

from __future__ import annotations

import threading
import time

from cosyvoice.frontend.chinese import normalize_chinese
from cosyvoice.frontend.english import cardinal, normalize_english
from cosyvoice.frontend.language import Language


class Normalizer:
    """Puts numbers, dates, money and so on into words.

    load_s: seconds that it took to load wetext's grammars; 0 before they are loaded.
    """

    def __init__(self) -> None:
        self.load_s = 0.0
        self._lock = threading.Lock()
        self._wetext: WeText | None = None

    def load(self, language: Language) -> None:
        """Loads what `language` needs: wetext's grammars, once for both languages, and inflect for English."""
        start = time.perf_counter()
        with self._lock:
            if self._wetext is None:
                self._wetext = WeText()
                self.load_s += time.perf_counter() - start
        if language == "en":
            cardinal("1")

    def normalize(self, text: str, language: Language) -> str:
        """`text` (cleaned, without markup) as it is spoken. No text makes it raise."""
        if language == "zh":
            return normalize_chinese(text, self._chinese)
        return normalize_english(text, self._english)

    def simplified(self, text: str) -> str:
        """`text` in simplified characters, which the Mandarin G2P needs. The original does not convert."""
        return self._grammars("zh").simplified(text)

    def _chinese(self, text: str) -> str:
        return self._grammars("zh").chinese(text)

    def _english(self, text: str) -> str:
        return self._grammars("en").english(text)

    def _grammars(self, language: Language) -> WeText:
        if self._wetext is None:
            self.load(language)
        assert self._wetext is not None
        return self._wetext


class WeText:
    """wetext's grammars for text normalisation. Importing them reads all languages from disk."""

    def __init__(self) -> None:
        import wetext

        self._english = wetext.Normalizer(lang="en", operator="tn")
        self._chinese = wetext.Normalizer(lang="zh", operator="tn", remove_erhua=False)
        self._preprocess = wetext.preprocess

    def english(self, text: str) -> str:
        return str(self._english.normalize(text))

    def chinese(self, text: str) -> str:
        return str(self._chinese.normalize(text))

    def simplified(self, text: str) -> str:
        return str(self._preprocess(text, traditional_to_simple=True))
