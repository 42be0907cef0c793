"""English numbers in words."""

from __future__ import annotations

import re
from functools import lru_cache

_LONGEST_NUMBER = 15  # in digits; a longer one is read digit by digit
_ORDINAL_ENDS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip
_ROMAN = re.compile("M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}


@lru_cache(maxsize=10_000)
def cardinal(digits: str, comma: str = "") -> str:
    """A number in words: "1250" -> "one thousand two hundred and fifty". A very long one is read digit by digit.

    comma: what stands after a group of three digits, and between the digits of a long number.
    """
    from num2words import num2words  # the engine's processes import this file, but read no text

    if len(digits) > _LONGEST_NUMBER:
        words = ", ".join(num2words(int(digit)) for digit in digits)
    else:
        words = num2words(int(digits))
    return words.replace(",", comma)


def spell_digits(text: str) -> str:
    """`text` with all its digits in words. The original does this after its normaliser."""
    return re.sub(r"\d+", lambda run: cardinal(run.group(), comma=","), text)


def whole(digits: str) -> str:
    """A whole number, without hyphens: "25" -> "twenty five"."""
    return cardinal(digits.lstrip("0") or "0").replace("-", " ")


def by_digit(digits: str) -> str:
    """Digit by digit: "0071" -> "zero zero seven one"."""
    return " ".join(cardinal(digit) for digit in digits if digit.isdigit())


def number(text: str) -> str:
    """A number as it is written: with commas, a decimal part, a sign, leading zeros."""
    sign = "minus " if text[:1] in "-−" else ""
    integer, dot, part = text.lstrip("-−").replace(",", "").partition(".")
    if not dot and len(integer) > 1 and integer[0] == "0":
        return sign + by_digit(integer)
    words = whole(integer or "0")
    return f"{sign}{words} point {by_digit(part)}" if part else sign + words


def ordinal(digits: str) -> str:
    """ "21" -> "twenty first"."""
    head, _, last = whole(digits).rpartition(" ")
    regular = last[:-1] + "ieth" if last.endswith("y") else last + "th"
    last = _ORDINAL_ENDS.get(last, regular)
    return f"{head} {last}".strip()


def plural(words: str) -> str:
    """Several of a number: "three" -> "threes", "twenty" -> "twenties"."""
    if words.endswith("y"):
        return words[:-1] + "ies"
    return words + ("es" if words.endswith("x") else "s")


def year(digits: str) -> str:
    """A year of four digits: "1999" -> "nineteen ninety nine", "2005" -> "two thousand and five"."""
    value = int(digits)
    if value < 1000 or value > 2999 or 2000 <= value < 2010 or value % 1000 == 0:
        return whole(digits)
    head, last = whole(digits[:2]), digits[2:]
    if last == "00":
        return f"{head} hundred"
    return f"{head} oh {whole(last)}" if last[0] == "0" else f"{head} {whole(last)}"


def is_year(digits: str) -> bool:
    """Whether four digits are read as a year when nothing else is known."""
    return len(digits) == 4 and 1100 <= int(digits) < 2100


def fraction(over: int, under: int) -> str:
    """ "2", "3" -> "two thirds"; "1", "2" -> "one half"."""
    if under == 2:
        name = "half" if over == 1 else "halves"
    elif under == 4:
        name = "quarter" if over == 1 else "quarters"
    else:
        name = ordinal(str(under)) + ("" if over == 1 else "s")
    return f"{whole(str(over))} {name}"


def roman(text: str) -> int | None:
    """The value of a Roman numeral below 4000. None when it is none."""
    if not text or not _ROMAN.fullmatch(text):
        return None
    values = [_ROMAN_VALUES[letter] for letter in text]
    return sum(-one if one < two else one for one, two in zip(values, [*values[1:], 0]))
