"""Which of more than two languages a clause is in: by its script, or by its frequent words. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from functools import cache

from cosyvoice.frontend.addresses import ADDRESS
from cosyvoice.frontend.language import BOTH, CYRILLIC, HAN, HANGUL, KANA, LANGUAGES, LATIN, Language, main_language
from cosyvoice.frontend.tables import table

_SCRIPTS: Mapping[Language, str] = {"zh": HAN, "ja": HAN + KANA, "ko": HANGUL, "ru": CYRILLIC}
_OTHER_SCRIPTS: Mapping[Language, re.Pattern[str]] = {
    "ja": re.compile(f"[{KANA}]"),
    "ko": re.compile(f"[{HANGUL}]+"),
    "ru": re.compile(f"[{CYRILLIC}]+"),
}
_LATIN_LANGUAGES: tuple[Language, ...] = ("en", "de", "es", "fr", "it")
_HAN = re.compile(f"[{HAN}]")
_WORD = re.compile(f"[{LATIN}]+")
_SHORT_FORM = re.compile(r"(?<!\w)(?:[A-Za-z]{2,4}\.(?=\s|$)|et (?:al|seq)\b)")  # "Est. delivery" is not French
# Frequent words that are short forms in English, or parts of its names: they count less in an English text.
_PARTS_OF_NAMES = frozenset(["est", "et", "de", "la", "le", "des", "du", "en", "el", "del", "di", "da", "der", "von"])
_GREEK = "\u0370-\u03ff"  # letters of formulas; they have names in the tables


def language_among(text: str, otherwise: Language, among: Set[Language]) -> Language:
    """The language of `text`. Text that does not tell is in the language of the text before it, `otherwise`."""
    if among <= BOTH:
        return main_language(text, otherwise)
    if "." in text or "@" in text:
        text = ADDRESS.sub(" ", text)
    words = _WORD.findall(_SHORT_FORM.sub(" ", text))
    for language, pattern in _OTHER_SCRIPTS.items():
        if language in among and (own := len(pattern.findall(text))):
            han = len(_HAN.findall(text)) if language == "ja" else 0
            if own + han >= len(words):
                return language
    if _HAN.search(text):
        return "ja" if otherwise == "ja" and "ja" in among else main_language(text, otherwise)
    if otherwise in BOTH and (language := main_language(text, otherwise)) != "en":
        return language
    words = [word for word in words if len(word) > 1 or not word.isascii()]  # a letter is a name or a unit
    return _of_words(words, otherwise, among) if words else otherwise


def _of_words(words: list[str], otherwise: Language, among: Set[Language]) -> Language:
    scores = dict.fromkeys(_LATIN_LANGUAGES, 0)
    for word, following in zip(words, [*words[1:], ""]):
        in_name = word.istitle() and following.istitle()  # Los Angeles, Le Mans; but all German nouns are capitalised
        if word.isupper() and len(word) in (2, 3) and len(words) < 4:  # MA 02139
            continue
        for language in _languages_of().get(word.lower(), ()):
            points = 1 if word.lower() in _PARTS_OF_NAMES and otherwise in BOTH else 2
            scores[language] += 0 if in_name and language not in ("de", "en") else points
        if not word.isascii() and not (word.istitle() and len(words) < 3 and otherwise in BOTH):  # Mbappé
            for language, letters in _letters().items():
                scores[language] += any(letter in letters for letter in word)
    likely = [language for language in _LATIN_LANGUAGES if language in among]
    before: Language = otherwise if otherwise in likely else "en"
    if otherwise in BOTH and max(scores.values()) < 2 and all(map(str.isascii, words)):
        return "en"
    return max(likely or ["en"], key=lambda language: (scores[language], language == before, language == "en"))


@cache
def _languages_of() -> dict[str, list[Language]]:
    """Frequent words, each with the languages that have it."""
    languages: dict[str, list[Language]] = {}
    for language in _LATIN_LANGUAGES:
        for word in table(language, "words")["common"]:
            languages.setdefault(word, []).append(language)
    return languages


@cache
def _letters() -> dict[Language, str]:
    return {language: table(language, "words")["letters"] for language in _LATIN_LANGUAGES}


@cache
def foreign_letters(among: frozenset[Language]) -> re.Pattern[str]:
    """Finds the letters of scripts that none of these languages is written in."""
    scripts = "".join(_SCRIPTS.get(language, "") for language in LANGUAGES if language in among)
    signs = "ªº²³¹⁄ℹ℃℉Ω"
    return re.compile(rf"(?![{LATIN}{_GREEK}{signs}{scripts}])[^\W\d_]")
