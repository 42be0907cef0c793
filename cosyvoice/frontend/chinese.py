"""Mandarin normalisation: corrections for wetext, wetext's grammar, then the original's clean-up of the result."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from contextlib import suppress

_GROUPED = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")  # 1,250: wetext reads it as two numbers
_NAME_NUMBER = re.compile(r"(?<=[A-Za-z])-(?=\d)")  # GPT-4: wetext reads "负四"
_ORDINAL_RANGE = re.compile(r"(第\d+)[-~](?=\d)")  # 第1-3章: wetext reads "减"
_MONEY_TWICE = re.compile(r"[¥￥](?=\d+(?:\.\d+)?\s?元)")  # ¥12元: wetext reads "一元二元"
_VERSION = re.compile(r"(?<![\d.])(\d+)\.(\d+)\.(\d+)(?!\.?\d)")  # 1.2.3: wetext reads the second dot only
_ESCAPED = re.compile(r'\\([\\"])')  # wetext escapes these two whenever it changes a text
_ADDRESS_DOT = re.compile(r"(?<=[0-9A-Za-z])\.(?=[0-9A-Za-z])")  # baidu.com
_DROPPED = str.maketrans("", "", "（）【】`\n\r")
_NUMERALS = "零一二三四五六七八九"


def normalize_chinese(text: str, wetext: Callable[[str], str]) -> str:
    """The text with numbers, dates, measures and money in words. No digit is left.

    wetext: its Mandarin text normalisation. A text that it cannot handle stays as it is, and its digits are read one by
    one.
    """
    if any(map(str.isdigit, text)):
        text = _NAME_NUMBER.sub(" ", _ORDINAL_RANGE.sub(r"\1到", _GROUPED.sub("", text)))
        text = _MONEY_TWICE.sub("", _VERSION.sub(r"\1点\2点\3", text))
        with suppress(Exception):  # wetext raises errors of many kinds
            text = _ESCAPED.sub(r"\1", wetext(text))
    return clean_chinese("".join(map(_numeral, text)))


def _numeral(character: str) -> str:
    if not character.isdigit() or character in "²³":
        return character
    return _NUMERALS[unicodedata.digit(character)]


def clean_chinese(text: str) -> str:
    """The original's clean-up of normalised Mandarin, without its closing full stop (`close_chinese`).

    Spaces are removed unless both neighbours are ASCII. ² and ³ are read. A dot ends the sentence, except inside an
    address, where it is read as "点" (the original ends the sentence there too). Brackets are removed.
    """
    text = "".join(c for i, c in enumerate(text) if c != " " or _between_ascii(text, i))
    text = text.replace("²", "平方").replace("³", "立方")
    text = _ADDRESS_DOT.sub("点", text).replace(".", "。").replace(" - ", "，")
    return text.translate(_DROPPED).replace("——", " ").strip()


def _between_ascii(text: str, at: int) -> bool:
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    return all(c.isascii() and not c.isspace() for c in (before, after)) and before != "" and after != ""


def close_chinese(text: str) -> str:
    """A run of commas at the end of a text becomes a full stop, as in the original."""
    return re.sub(r"[，,、]+$", "。", text)
