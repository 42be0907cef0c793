"""English normalisation: corrections for wetext, wetext's grammar, then the remaining digits in words.

Errors of wetext 0.1.8: it drops the "one" of 1,250; it reads 3500 digit by digit, 2000 as "twenty hundred", $12.50 as
"twelve point five dollars", 9-5 as "minus", 1990s as seconds and "Sun" as "Sunday"; it escapes quotation marks; and it
fails on "#1", "5¢" and double spaces.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import inflect

_CURRENCIES = {  # one, several, one hundredth, several hundredths
    "$": ("dollar", "dollars", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"),
}
_MONEY = re.compile(
    r"([$£€])\s?(\d{1,15}(?:,\d{3})*)(?:\.(\d\d?))?(?!,?\d|\.\d)"
    r"(?!\s?(?:hundred|thousand|million|billion|trillion|[kKmMbB]\b))"
)
_NUMBER = r"[$£€]?\d+(?:[.,]\d+)*"
_RANGE = re.compile(rf"(?<![\w.,:/-])({_NUMBER})\s?[-–]\s?({_NUMBER})(?![\w:/-])")
_PHONE = re.compile(r"(?<![\w-])(?:\((\d{3})\) ?|(\d{3})-)?(\d{3})-(\d{4})(?![\w-])")
_FOUR_DIGITS = re.compile(r"(?<![\w.,:/$£€#-])([1-9])(\d{3})(?![\w:/-]|[.,]\d)")
_DECADE = re.compile(r"(?<!\w)'?(1[1-9]|20)?([2-9])0s\b")
_VERSION = re.compile(r"(?<![\d.])(\d+)\.(\d+)\.(\d+)(?!\.?\d)")
_REWRITTEN = (
    (re.compile(r"\b(?:No\. ?|# ?)(?=\d)|#(?=\d)"), "number "),  # No. 5, #5
    (re.compile(r"#"), ""),  # hashtags
    (re.compile(r"(?<=\d)\s?¢"), " cents"),
    (re.compile(r"\b24/7\b"), "24 7"),
    (re.compile(r"~\s?(?=\d)"), "about "),
    (re.compile(r"\+(?=\d)"), " plus "),  # +1 555
    (re.compile(r"(?<!\S)-(?=[$£€]\d)"), "minus "),
    (re.compile(r"<(?=\s?\d)"), " less than "),
    (re.compile(r">(?=\s?\d)"), " greater than "),
    (re.compile(r"[_|]"), " "),
)
# Day names without a dot or a date after them, which are more often the sun, or verbs. wetext does not change them in
# lower case.
_SUN = re.compile(r"\b(?:Sun|Sat|Wed|Mon)\b(?!\.|,? (?:\d|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec))")
_WETEXT = re.compile(r"[\d$£€¥%&@+=*^<>°½¼¾/]|\w\.\w|\b[A-Z][a-z]{1,4}\.(?=\s)")
_ESCAPED = re.compile(r'\\([\\"])')
_BARE_THOUSAND = re.compile(r"(?:(\w+)([ -]))?\bthousand\b")
_TENS = ("", "", "twenties", "thirties", "forties", "fifties", "sixties", "seventies", "eighties", "nineties")
_LONGEST_NUMBER = 15  # in digits; a longer one is read digit by digit


@cache
def _inflect() -> inflect.engine:
    import inflect  # slow to import, and not needed for the embedded voice

    return inflect.engine()


def cardinal(digits: str, comma: str = "") -> str:
    """A number in words: "1250" -> "one thousand two hundred and fifty". A very long one is read digit by digit."""
    words = _inflect().number_to_words(digits, comma=comma, group=1 if len(digits) > _LONGEST_NUMBER else 0)
    return str(words)


def spell_digits(text: str) -> str:
    """`text` with all its digits in words. The original does this after its normaliser."""
    return re.sub(r"\d+", lambda run: cardinal(run.group(), comma=","), text)


def normalize_english(text: str, wetext: Callable[[str], str]) -> str:
    """The text with numbers, dates, times, measures, money, titles and signs in words. No digit is left.

    wetext: its English text normalisation.
    """
    plain = " ".join(text.split())
    for pattern, words in _REWRITTEN:
        plain = pattern.sub(words, plain)
    plain = " ".join(plain.split())
    if not _WETEXT.search(plain):
        return plain
    plain = _PHONE.sub(_phone, plain)
    plain = _RANGE.sub(_range, plain)
    plain = _VERSION.sub(r"\1 point \2 point \3", plain)
    plain = _MONEY.sub(_money, plain)
    plain = _DECADE.sub(_decade, plain)
    plain = _FOUR_DIGITS.sub(_four_digits, plain)
    plain = _SUN.sub(lambda m: m.group().lower(), plain)
    spoken = _ESCAPED.sub(r"\1", _guarded(plain, wetext))
    if "thousand" not in plain.lower():
        spoken = _BARE_THOUSAND.sub(_one_thousand, spoken)
    return " ".join(spell_digits(spoken).split())


def _guarded(text: str, wetext: Callable[[str], str]) -> str:
    """wetext's reading. When it fails on a text, each word is read alone; a word on which it fails stays as it is."""
    try:
        return wetext(text)
    except Exception:  # wetext raises errors of many kinds
        words = text.split()
        return text if len(words) < 2 else " ".join(_guarded(word, wetext) for word in words)


def _money(match: re.Match[str]) -> str:
    one, many, one_hundredth, hundredths = _CURRENCIES[match[1]]
    whole, part = int(match[2].replace(",", "")), int((match[3] or "").ljust(2, "0"))
    words = []
    if whole or not part:
        words.append(f"{cardinal(str(whole))} {one if whole == 1 else many}")
    if part:
        words.append(f"{cardinal(str(part))} {one_hundredth if part == 1 else hundredths}")
    return " and ".join(words)


def _phone(match: re.Match[str]) -> str:
    return ", ".join(" ".join(group) for group in match.groups() if group)


def _range(match: re.Match[str]) -> str:
    return f"{match[1]} {match[2]}" if match[1] == match[2] else f"{match[1]} to {match[2]}"  # 50-50, 9-5


def _decade(match: re.Match[str]) -> str:
    century = cardinal(match[1]) + " " if match[1] else ""
    return century + _TENS[int(match[2])]


def _four_digits(match: re.Match[str]) -> str:
    """Years stay as they are. Other numbers get a comma, so that wetext reads them as numbers."""
    number = int(match.group())
    is_year = 1100 <= number < 2000 or 2010 <= number < 2100
    return match.group() if is_year else f"{match[1]},{match[2]}"


def _one_thousand(match: re.Match[str]) -> str:
    return match.group() if match[1] in _number_words() else f"{match[1] or ''}{match[2] or ''}one thousand"


@cache
def _number_words() -> frozenset[str]:
    words = {"hundred"}
    for number in range(1, 100):
        words.update(cardinal(str(number)).split("-"))
    return frozenset(words)
