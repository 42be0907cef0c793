"""Which language a text is in, and where it changes. The embedded voice has two languages: Mandarin and English."""

from __future__ import annotations

import re
from typing import Literal, get_args

from cosyvoice.frontend.addresses import ADDRESS

Language = Literal["zh", "en", "ja", "ko", "de", "es", "fr", "it", "ru"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
BOTH: frozenset[Language] = frozenset({"zh", "en"})  # what every checkpoint speaks

# The languages of a script of their own, beside Mandarin.
KANA, HANGUL, CYRILLIC = "\u3041-\u3096\u30a1-\u30fa\u30fc\u31f0-\u31ff", "\u1100-\u11ff\uac00-\ud7a3", "\u0400-\u052f"
HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"  # the inside of a character class
LATIN = "A-Za-z\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff"
_HAN = re.compile(f"[{HAN}]")
_LATIN_WORD = re.compile(f"[{LATIN}]+(?:['’-][{LATIN}]+)*")
# Words that a Mandarin text does not have among its English names.
_ENGLISH_WORDS = """
the and is are was were for of to in on with he she it you i we they my your this that said says paid called means or an
at from do does have has had can will please
"""
_ENGLISH = frozenset(_ENGLISH_WORDS.split())
_BESIDE_NUMBER = re.compile("(?:(?<=[0-9/μ])[A-Za-z]+|[A-Za-z]+(?=[0-9²³])|(?<![A-Za-z])[b-hj-zB-HJ-Z])(?![A-Za-z])")
_CJK_PUNCTUATION = re.compile("[\u3001-\u3003\u3008-\u3011\uff01\uff08\uff09\uff0c\uff1a\uff1b\uff1f]")
# Han characters with the numbers and signs written without a space to them: "3号楼", "第5届".
_HAN_STRETCH = re.compile(
    f"[0-9.,%:/+-]{{0,24}}[{HAN}](?:[^{LATIN}\\s]*[{HAN}])?(?:[0-9.,:/+-]{{0,24}}[0-9])?[\u3001\u3002\uff01-\uff1f]*"
)


def main_language(text: str, otherwise: Language) -> Language:
    """The language of most of `text`, of the two: Mandarin when it has at least as many Han characters as Latin words.

    A text with some English words besides names stays English, and one with some Han characters stays Mandarin, if the
    text before it is so. When it has neither, full-width punctuation means Mandarin. Without that the result is
    `otherwise`. Addresses and single letters have no language, and in a Mandarin text neither have two words with
    full-width punctuation ("IP").
    """
    han = len(_HAN.findall(text))
    words = _LATIN_WORD.findall(ADDRESS.sub(" ", text) if "." in text else text)
    latin = len(words)
    english = sum(word.lower() in _ENGLISH for word in words) if han else 0
    if english > 1 and otherwise == "en" and han < 3 * latin:
        return "en"
    if han and english < 2 and otherwise == "zh" and latin <= 3 * han:
        return "zh"
    few = latin <= 2 and _CJK_PUNCTUATION.search(text) is not None
    if (han or otherwise == "zh") and latin > han:
        # A unit or a name beside a digit is no word of a language (PM2.5, 35μg/m³), nor is a letter (b>c).
        latin -= len(_BESIDE_NUMBER.findall(text))
    few = few or (latin <= 1 and any(map(str.isdigit, text)) and all(_is_short_name(word) for word in words[:1]))
    if not han and otherwise == "zh" and (few or latin <= 0 or all(len(word) == 1 for word in words)):
        return "zh"
    if han or latin:
        return "zh" if han >= latin else "en"
    return "zh" if _CJK_PUNCTUATION.search(text) else otherwise


def _is_short_name(word: str) -> bool:
    """BMI 23.4, Hb 130."""
    return word.isupper() or (word[0].isupper() and len(word) < 4)


def language_runs(text: str, main: Language) -> list[tuple[Language, str]]:
    """`text` cut where its language changes. All parts together are the whole text.

    A text in another language than English is one run, because all of it is normalised in that language (also the
    number in "iPhone 15"). In an English text, stretches of Han characters, with the numbers that touch them, are
    Mandarin.
    """
    if main != "en" or not _HAN.search(text):
        return [(main, text)] if text else []
    runs: list[tuple[Language, str]] = []
    end = 0
    for stretch in _HAN_STRETCH.finditer(text):
        runs += [("en", text[end : stretch.start()]), ("zh", stretch.group())]
        end = stretch.end()
    runs.append(("en", text[end:]))
    return [(language, run) for language, run in runs if run]


def is_cjk(character: str) -> bool:
    """Whether a character is Han or full-width. No space is written next to such characters."""
    if character < "\u3000":
        return False
    return bool(_HAN.match(character)) or character <= "\u303f" or "\uff00" <= character <= "\uffef"
