"""Mandarin numbers in words."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

_NUMERALS = "零一二三四五六七八九"
_PLACES = ("", "十", "百", "千")
_GROUPS = ("", "万", "亿", "万亿")
_LONGEST_NUMBER = 15  # in digits; a longer one is read digit by digit


def by_digit(digits: str, one: str = "一") -> str:
    """Digit by digit. one: "幺" in telephone numbers."""
    return "".join(_NUMERALS[unicodedata.digit(c)] if c != "1" else one for c in digits if c.isdecimal())


@lru_cache(maxsize=10_000)
def whole(digits: str) -> str:
    """A whole number: "1250" -> "一千二百五十", "2000" -> "两千", "10" -> "十", "100005" -> "十万零五"."""
    digits = digits.lstrip("0") or "0"
    if len(digits) > _LONGEST_NUMBER:
        return by_digit(digits)
    words, gap = "", False
    for at, digit in enumerate(digits):
        place = len(digits) - 1 - at
        if digit == "0":
            gap = True
        else:
            words += ("零" if gap and words else "") + _NUMERALS[int(digit)] + _PLACES[place % 4]
            gap = False
        if place % 4 == 0 and int(digits[max(0, at - 3) : at + 1]):
            words += _GROUPS[place // 4]
            gap = gap and place > 0 and digits[at] == "0" and digits[at + 1] == "0"
    if words[:2] in ("二千", "二万", "二亿"):
        words = "两" + words[1:]
    return words.removeprefix("一") if words.startswith("一十") else words or "零"


def number(text: str) -> str:
    """A number as it is written: with commas, a decimal part, a sign, leading zeros."""
    sign = "负" if text[:1] in ("-", "−") else ""
    integer, dot, part = text.lstrip("-−").replace(",", "").replace("，", "").partition(".")
    if not dot and len(integer) > 1 and integer[0] == "0":
        return sign + by_digit(integer)
    words = whole(integer or "0")
    return f"{sign}{words}点{by_digit(part)}" if part else sign + words
