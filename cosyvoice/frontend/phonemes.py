"""Phonemes for the embedded voice: hibari's G2P for Latin script and misaki's for Han, also in one sentence."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from functools import lru_cache

from cosyvoice.frontend.language import HAN, LATIN, Language, language_runs
from cosyvoice.frontend.mandarin import MandarinG2P, is_readable
from cosyvoice.frontend.normalize import Normalizer

# A stretch of Latin words with the signs between and after them: "Wi-Fi", "C++", "Hello, world".
_LATIN_STRETCH = re.compile(f"[{LATIN}](?:[{LATIN}0-9 !-/:-@_’]*[{LATIN}0-9+#%])?")
_HAN_CHARACTER = re.compile(f"[{HAN}]")
_SIGNS_ZH = str.maketrans(
    {"+": "加", "=": "等于", "×": "乘", "÷": "除以", "<": "小于", ">": "大于", "&": "和", "@": "艾特", "%": "百分号",
     "℃": "摄氏度", "°": "度", "〇": "零", "~": "，", "～": "，", ",": "，", "!": "！", "?": "？", ":": "：", ";": "；"}
    | dict.fromkeys("/\\*_|#^-", " ")
)  # fmt: skip
_SILENT_ZH = frozenset(" ，。、！？：；“”‘’…—（）《》「」【】\"'().")
_UNKNOWN_EN = re.compile(f"[^ -~{LATIN}’‘“”…—–°£€¥₹₩¢]")
_UNSPOKEN_EN = re.compile(r"[\[\]{}\\_|^~*]")  # with brackets a text could give phonemes to hibari: [a](/b/)
# Where hibari cuts a word into parts. Its time grows with the cube of their number.
_PART_OF_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=\w)[-(\"“”](?=\w)|(?<=\w)-$")
_LONG_WORD = re.compile(r"\S{13,}")
# The letter, not the article: A B C; a, b and c.
_LETTER_A = re.compile(
    r"\bA(?=,? [A-Z]\b(?!['’.]))|(?<=\b[A-Z] )A\b(?!['’.]| [a-z]{2})"
    r"|\ba(?=,? [b-z]\b(?!['’.]))|(?<=\b[b-z] )a(?= [b-z]\b)"
)
_MOST_PARTS = 8
_REMEMBERED_WORDS = 10_000
_CLOSING_SIGNS = tuple(",.;:!?…”)")


class Phonemizer:
    """Text -> the phoneme string, in the form that the embedded voice was trained on. A G2P gets words, no digits.

    A G2P is loaded when the first text needs it. load_s: the seconds that took, by language.
    """

    def __init__(self, normalizer: Normalizer | None = None) -> None:
        self.load_s: dict[Language, float] = {}
        self._normalizer = normalizer or Normalizer()
        self._lock = threading.Lock()
        self._g2p: dict[Language, Callable[[str], str]] = {}

    def load(self, language: Language) -> None:
        """Loads the G2P of `language`, once. For Mandarin it loads the converter of traditional characters too."""
        with self._lock:
            if language in self._g2p:
                return
            start = time.perf_counter()
            if language == "zh":
                self._normalizer.simplified("一")
                self._g2p["zh"] = MandarinG2P()
            else:
                self._g2p["en"] = _english_g2p()
                self._normalizer.load("en")
            self.load_s[language] = time.perf_counter() - start

    def phonemes(self, text: str, main: Language, before: str = "") -> tuple[str, list[str]]:
        """The phonemes of cleaned text without markup, and the characters that have no phonemes.

        main: the language of most of the text. Numbers are read in it. before: the text before it.
        """
        parts: list[str] = []
        unknown: list[str] = []
        for language, run in language_runs(text, main):
            if language == "zh":
                parts.append(self._mandarin(run, unknown, before))
            else:
                parts.append(self._english(self._normalizer.normalize(run, "en", before), unknown))
        return joined(parts), unknown

    def _english(self, text: str, unknown: list[str]) -> str:
        unknown += _UNKNOWN_EN.findall(text)
        plain = _UNKNOWN_EN.sub(" ", _UNSPOKEN_EN.sub(" ", text))
        plain = _LONG_WORD.sub(_with_few_parts, plain)
        return self._run("en", _LETTER_A.sub("[A](/ˈA/)", plain))

    def _mandarin(self, text: str, unknown: list[str], before: str) -> str:
        simplified = self._normalizer.simplified(text) if _HAN_CHARACTER.search(text) else text
        normal = self._normalizer.normalize(simplified, "zh", before)
        parts: list[str] = []
        end = 0
        for latin in _LATIN_STRETCH.finditer(normal):
            parts.append(self._han(normal[end : latin.start()], unknown))
            parts.append(self._english("A." if latin.group() in ("A", "a") else latin.group(), unknown).rstrip("."))
            end = latin.end()
        parts.append(self._han(normal[end:], unknown))
        return joined(parts)

    def _han(self, text: str, unknown: list[str]) -> str:
        spoken = []
        for character in re.sub("。{2,}", "…", text).translate(_SIGNS_ZH):
            if character in _SILENT_ZH or is_readable(character):
                spoken.append(character)
            else:
                unknown.append(character)
        return re.sub(r"”(?=\w)", "” ", self._run("zh", "".join(spoken)))

    def _run(self, language: Language, text: str) -> str:
        if not text.strip():
            return ""
        if language not in self._g2p:
            self.load(language)
        return self._g2p[language](text)


def _with_few_parts(word: re.Match[str]) -> str:
    """A word of very many parts, as several words."""
    return word[0] if len(_PART_OF_WORD.findall(word[0])) < _MOST_PARTS else _PART_OF_WORD.sub(" ", word[0])


def joined(parts: list[str]) -> str:
    """Stretches of phonemes in one string, with a space between words."""
    whole = ""
    for part in filter(None, map(str.strip, parts)):
        whole += part if not whole or part.startswith(_CLOSING_SIGNS) else f" {part}"
    return whole


def _english_g2p() -> Callable[[str], str]:
    from hibari.g2p import G2P
    from hibari.g2p.oov import OOV

    # The network for unknown words is loaded now, and not at the first of them. A word takes it about a millisecond.
    g2p = G2P(oov=lru_cache(_REMEMBERED_WORDS)(OOV()), british=False)
    return lambda text: str(g2p(text))
