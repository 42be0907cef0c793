"""Numbers, money, measures, times, dates and signs in the languages that only released checkpoints speak.

The numbers are num2words'. All else stands in data/reading, a table for each language. Letters stay as they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from cosyvoice.frontend.addresses import ADDRESS, spoken_address
from cosyvoice.frontend.english_numbers import roman
from cosyvoice.frontend.language import Language
from cosyvoice.frontend.tables import one_of, table

_LONGEST_NUMBER = 15  # in digits; a longer one is read digit by digit
_NO_SPACES = frozenset({"ja"})
_NO_CASES = frozenset({"ja", "ko"})  # a noun and what follows it are one word


@lru_cache(maxsize=10_000)
def _words(digits: str, language: Language, kind: str = "cardinal") -> str:
    """A whole number in words."""
    from num2words import num2words

    if (len(digits) > 1 and digits[0] == "0") or len(digits) > _LONGEST_NUMBER:
        return ("" if language in _NO_SPACES else " ").join(_words(digit, language) for digit in digits)
    words = str(num2words(int(digits), lang=language, to=kind))
    return words.replace(" ", "") if language in _NO_SPACES else words


# Roman numerals, with a name or the word for a century before, or an ending after. Up to this number a king's is an
# ordinal.
_ROMAN_ORDINALS = {"fr": 1, "es": 10, "it": 99}
_ROMAN = re.compile(
    r"\b([A-ZÉÁ][a-zéáíóú]{2,12} |siglo |tomo |chapitre |tome |capítulo )?([IVX]{1,7})(er|ère|e|ème)?\b(?![.'’-])"
    r"( secolo)?"
)


@dataclass(frozen=True)
class _Patterns:
    date: re.Pattern[str]
    time: re.Pattern[str]
    phone: re.Pattern[str]
    fraction: re.Pattern[str]
    abbreviation: re.Pattern[str] | None
    ordinal: re.Pattern[str] | None
    money_first: re.Pattern[str]
    noun: re.Pattern[str]
    native: re.Pattern[str] | None
    spread: re.Pattern[str]
    number: re.Pattern[str]
    sign: re.Pattern[str]


@cache
def _patterns(language: Language) -> _Patterns:
    form, nouns = table(language, "format"), table(language, "nouns")
    decimal, thousands = re.escape(form["decimal"]), re.escape(form["thousands"])
    number = rf"(?:\d{{1,3}}(?:[{thousands}]\d{{3}})+(?!\d)|\d+)(?:{decimal}\d+)?"
    ordinal, counters = form["ordinal_mark"], table(language, "native")["counters"] if language == "ko" else ()
    short, clock = table(language, "abbreviations"), r"(?::|\s?h\s?)" if language == "fr" else ":"
    word_end = "" if language in _NO_CASES else r"(?![^\W\d_])"
    return _Patterns(
        date=re.compile(
            r"(?<![\d./-])(?:(\d{4})[-/](\d{1,2})[-/](\d{1,2})|(\d{1,2})[./](\d{1,2})[./](\d{4}))(?![\d/-])"
        ),
        time=re.compile(rf"(?<![\d:.,])([01]?\d|2[0-4]){clock}([0-5]\d)(?:\s?(?:Uhr|h)\b)?(?![\d:])"),
        phone=re.compile(r"(?<![\d.,-])(?:\+\d{1,3}|\(?0\d{1,4}\)?)(?:[ /-]\d{2,8}){1,5}(?![\d-])"),
        fraction=re.compile(rf"(?<![\w./,])({one_of(table(language, 'fractions'))})(?![\w/])"),
        abbreviation=re.compile(rf"(?<![\w.])({one_of(short)})(?!\w)") if short else None,
        ordinal=re.compile(rf"(?<![\d.,])(\d{{1,4}}){ordinal}") if ordinal else None,
        money_first=re.compile(rf"([€$£¥￥₩₽])\s?({number})"),
        noun=re.compile(rf"(?:(?<![\dA-Za-z])([-−]))?(?<![\d.,])({number})\s?({one_of(nouns)}){word_end}"),
        native=re.compile(rf"(?<![\d.,])(\d{{1,2}})\s?({one_of(counters)})") if counters else None,
        spread=re.compile(rf"(?<![\d.,-])({number})\s?[-–—~～〜]\s?(?={number}(?![\d-]))"),
        number=re.compile(rf"(?<![\dA-Za-z])[-−](?=\d)|{number}"),
        sign=re.compile(rf"\s?({one_of(table(language, 'signs'))})\s?"),
    )


class OtherLanguage:
    """The rules of one language."""

    def __init__(self, language: Language) -> None:
        self._language = language
        self._format: dict[str, Any] = table(language, "format")
        self._nouns: dict[str, list[str]] = table(language, "nouns")
        self._address: dict[str, str] = table(language, "address")
        self._fractions: dict[str, str] = table(language, "fractions")
        self._abbreviations: dict[str, str] = table(language, "abbreviations")
        self._signs: dict[str, str] = table(language, "signs")
        self._patterns = _patterns(language)
        self._space = "" if language in _NO_SPACES else " "

    def normalize(self, text: str) -> str:
        """The text with numbers and signs in words."""
        patterns = self._patterns
        text = ADDRESS.sub(lambda m: spoken_address(m, self._address, self._digits, " "), text)
        if self._language in _ROMAN_ORDINALS:
            text = _ROMAN.sub(self._roman, text)
        if patterns.abbreviation is not None:
            text = patterns.abbreviation.sub(lambda m: self._abbreviations[m[1]], text)
        if any(map(str.isdigit, text)):
            text = patterns.date.sub(self._date, text)
            text = patterns.time.sub(self._time, text)
            text = patterns.phone.sub(self._phone, text)
            text = patterns.fraction.sub(lambda m: self._fractions[m[1]], text)
            if self._language == "ru":
                text = _RUSSIAN_DATE.sub(_russian_date, text)
            if patterns.ordinal is not None:
                text = patterns.ordinal.sub(self._ordinal, text)
            if patterns.native is not None:
                text = patterns.native.sub(self._native, text)
            text = patterns.money_first.sub(lambda m: m[2] + m[1], text)
            text = patterns.spread.sub(lambda m: f"{m[1]}{self._space}{self._format['to']}{self._space}", text)
            text = patterns.noun.sub(self._noun, text)
            text = patterns.number.sub(self._plain, text)
        text = patterns.sign.sub(lambda m: f"{self._space}{self._signs[m[1]]}{self._space}", text)
        return " ".join(text.split())

    def _whole(self, digits: str, kind: str = "cardinal") -> str:
        return _words(digits, self._language, kind)

    def _number(self, text: str) -> str:
        """A number as it is written, with its marks."""
        form = self._format
        whole, _, part = text.partition(form["decimal"])
        whole = re.sub(r"\D", "", whole)
        if not part:
            return self._whole(whole)
        if form["decimals"] == "fraction":
            from num2words import num2words

            return str(num2words(f"{whole}.{part}", lang=self._language))
        if form["decimals"] == "digits" or part[0] == "0":
            after = self._space.join(map(self._whole, part))
        else:
            after = self._whole(part)
        return self._space.join([self._whole(whole), form["point"], after])

    def _plain(self, match: re.Match[str]) -> str:
        if match[0] in "-−":
            return f"{self._format['minus']}{self._space}"
        is_year = self._language == "de" and re.fullmatch(r"1[1-9]\d\d", match[0])
        return self._whole(match[0], "year") if is_year else self._number(match[0])

    def _counted(self, text: str, forms: list[str]) -> str:
        """A number and the noun after it, in the form that the number asks for."""
        if text == "1":
            return f"{self._format['one']}{self._space}{forms[0]}"
        words = self._number(text)
        if self._language == "es" and words.endswith("uno"):
            words = words[:-3] + ("ún" if words.endswith("veintiuno") else "un")
        if len(forms) == 3 and self._format["decimal"] not in text:
            last, last_two = int(text[-1]), int(re.sub(r"\D", "", text)[-2:])
            form = 0 if last == 1 and last_two != 11 else 1 if 2 <= last <= 4 and not 12 <= last_two <= 14 else 2
            return f"{words} {forms[form]}"
        return f"{words}{self._space}{forms[1]}"

    def _noun(self, match: re.Match[str]) -> str:
        minus = f"{self._format['minus']}{self._space}" if match[1] else ""
        return minus + self._amount(match[2], match[3])

    def _amount(self, digits: str, noun: str) -> str:
        forms = self._nouns[noun]
        whole, _, part = digits.partition(self._format["decimal"])
        if noun in "€$£" and len(part) == 2 and self._space:
            amount = self._counted(whole, forms)
            cents = self._whole(str(int(part))) if int(part) else ""
            return str(self._format["cents"]).format(amount=amount, cents=cents) if cents else amount
        return self._counted(digits, forms)

    def _time(self, match: re.Match[str]) -> str:
        if self._language == "ko":
            hour = self._native_words(int(match[1])) if 0 < int(match[1]) < 13 else self._whole(str(int(match[1])))
        else:
            hour = self._whole(str(int(match[1])))
        if self._language == "de" and match[1].lstrip("0") == "1":
            hour = "ein"
        form = "whole_hour" if match[2] == "00" else "time"
        return str(self._format[form]).format(hour=hour, minute=self._whole(str(int(match[2]))))

    def _digits(self, digits: str) -> str:
        """A number of an address."""
        if len(digits) < 3 and digits[0] != "0":
            return self._whole(digits)
        return self._space.join(map(self._whole, digits))

    def _roman(self, match: re.Match[str]) -> str:
        """XXIe siècle, siglo XXI, Felipe VI."""
        before, numeral, mark, after = match.groups()
        value = roman(numeral)
        if value is None or not (mark or after or before):
            return match[0]
        is_name = before is not None and before[0].isupper()
        ordinal = mark or after or (is_name and value <= _ROMAN_ORDINALS[self._language])
        words = self._whole(str(value), "ordinal" if ordinal else "cardinal")
        return f"{before or ''}{words}{after or ''}"

    def _phone(self, match: re.Match[str]) -> str:
        """Digit by digit."""
        words = self._space.join(map(self._whole, re.sub(r"\D", "", match[0])))
        plus = self._signs["+"] + self._space if match[0][0] == "+" else ""
        return plus + (words.replace("영", "공") if self._language == "ko" else words)

    def _date(self, match: re.Match[str]) -> str:
        year, month, day = (match[1], match[2], match[3]) if match[1] else (match[6], match[5], match[4])
        if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
            return match[0]
        name, digits = self._format["months"][int(month) - 1], str(int(day))
        match self._language:
            case "de":
                spoken_day, spoken_year = self._whole(digits, "ordinal") + "r", self._whole(year, "year")
            case "ru":
                spoken_day = _neuter(self._whole(digits, "ordinal"))
                spoken_year = _genitive(self._whole(year, "ordinal"))
            case "fr" if digits == "1":
                spoken_day, spoken_year = "premier", self._whole(year)
            case _:
                spoken_day, spoken_year = self._whole(digits), self._whole(year)
        return str(self._format["date"]).format(day=spoken_day, month=name, year=spoken_year)

    def _ordinal(self, match: re.Match[str]) -> str:
        word, before = self._whole(match[1], "ordinal"), match.string[: match.start()]
        if self._language == "de" and re.search(
            r"\b(?:[Aa]m|[Vv]om|[Zz]um|[Dd]em|[Dd]en|[Bb]is|[Ii]m|[Dd]er)\s$", before
        ):
            return word if before.lower().endswith("der ") else word + "n"
        if self._language in ("es", "it") and "ª" in match[0]:
            return word[:-1] + "a"
        if self._language == "fr" and match[1] == "1" and match[0].endswith(("re", "ère")):
            return "première"
        if self._language == "ru" and match[0].endswith("го"):
            return _genitive(word)
        return _neuter(word) if self._language == "ru" and match[0].endswith("е") else word

    def _native(self, match: re.Match[str]) -> str:
        return f"{self._native_words(int(match[1]))} {match[2]}" if int(match[1]) else match[0]

    @staticmethod
    def _native_words(number: int) -> str:
        names = table("ko", "native")
        if number == 20:
            return "스무"
        return str(names["tens"][number // 10]) + str(names["ones"][number % 10])


def _neuter(ordinal: str) -> str:
    return re.sub("(?:ый|ой)$", "ое", re.sub("ий$", "ье", ordinal))


def _genitive(ordinal: str) -> str:
    return re.sub("(?:ый|ой)$", "ого", re.sub("ий$", "ьего", ordinal))


_RUSSIAN_MONTHS = "января|февраля|марта|апреля|мая|июня|июля|августа|сентября|октября|ноября|декабря"
_RUSSIAN_DATE = re.compile(
    rf"(?<![\d.,])(\d{{1,2}})(?= (?:{_RUSSIAN_MONTHS})\b)|(?<![\d.,])(\d{{4}}) ?(года|году|годом|год|г\.)(?!\w)"
)


def _russian_date(match: re.Match[str]) -> str:
    """A day or a year is an ordinal: 15 марта, 2026 года, в 2024 году."""
    from num2words import num2words

    noun = {"г.": "года"}.get(match[3], match[3])
    case = {"году": "p", "годом": "i", "год": "n"}.get(noun, "g")
    words = str(num2words(int(match[1] or match[2]), lang="ru", to="ordinal", case=case))
    return words if match[1] else f"{words} {noun}"


@cache
def other_language(language: Language) -> OtherLanguage:
    """Loaded with the first text in it."""
    return OtherLanguage(language)
