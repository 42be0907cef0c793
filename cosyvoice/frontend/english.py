"""English normalisation: the rules in their order. What each sign and short form means stands in data/reading/en.toml.

A rule turns what it finds into words, which no later rule changes, because later rules look for digits and signs.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from cosyvoice.frontend.addresses import ADDRESS, OBJECTS, spoken_address
from cosyvoice.frontend.english_codes import CODE_RULES, EARLY_CODE_RULES, digits_after_code
from cosyvoice.frontend.english_dates import DATE_RULES, days_of_months, spans_of_days
from cosyvoice.frontend.english_math import FORMULA_RULES, MATH_RULES
from cosyvoice.frontend.english_measures import MEASURE_RULES
from cosyvoice.frontend.english_names import DAY_AT_END, abbreviations, roman_numerals, short_forms
from cosyvoice.frontend.english_numbers import by_digit, is_year, number, ordinal, roman, whole, year
from cosyvoice.frontend.tables import one_of, table

Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]

_SHORT_NAMES = one_of([*table("en", "short_forms"), *(name.upper() for name in table("en", "short_forms"))])
_NEEDED = re.compile(
    rf"[^A-Za-z\s,!?'’\"“”‘’;:()…—.-]|\w\.\w|[A-Za-z]\.(?=[\s,;)]|$)|\b[IVXLCDM]+\b|\b[fgh]\(|\b{_SHORT_NAMES}(?!\w)|{DAY_AT_END.pattern}|[a-z]-?[A-Z]|^(?:Sat|Sun),?$"
)
# Names in programs: getUserById. Not iPhone.
_CAMEL = re.compile(r"(?<![\w.])(?:[a-z]{3,}|is|to|on|do|my|io|id|db)(?:[A-Z][a-z\d]+)+\b")
_CODE_SIGN = re.compile(r"#(?=[A-Z]{1,3}-\d|[A-Z]\d)|\b[Nn]o\. ?(?=[A-Z]{0,3}-?\d)")  # order #A-20394
_GLUED = re.compile(r"((?<=[A-Za-z]{2})[,;:](?=\d)|(?<=[a-z\d]),(?=[a-z]{2}))")  # standup,10:30
_HUMP = re.compile("[A-Z]")
_N = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?"
_SIGNS = table("en", "signs")
_SIGN = re.compile(rf"\s*({one_of(_SIGNS)})\s*")


def _ago(match: re.Match[str]) -> str:
    unit = {"d": "day", "h": "hour", "w": "week", "y": "year", "mo": "month"}[match[2]]
    return f"{number(match[1])} {unit}{'' if match[1] == '1' else 's'} ago"


def _range(match: re.Match[str]) -> str:
    first, last = match[1], match[2]
    if first == last:  # 50-50
        return f"{number(first)} {number(last)}"
    return f"{_plain(first)} to {_plain(last)}"


def _plain(digits: str) -> str:
    return year(digits) if digits.isdigit() and is_year(digits) else number(digits)


def _of_list(part: str) -> str:
    """(b)(ii): a Roman numeral of several letters is a number."""
    value = roman(part.upper()) if len(part) > 1 and part.isalpha() else None
    return part if value is None else whole(str(value))


def _list_number(match: re.Match[str]) -> str:
    return f"{number(match[1])}, "


def _unclear_four(match: re.Match[str]) -> str:
    digits = match.group()
    return year(digits) if is_year(digits) else number(digits)


_NUMBER_RULES: tuple[Rule, ...] = (
    (re.compile(r"(?<=[A-Za-z]{2})/(?=\d)"), lambda m: " "),
    (re.compile(r"(?<![\w.])ca?\. ?(?=\d{3,4}\b)"), lambda m: "circa "),
    (re.compile(r"\b([A-Z])\.(\d{2,4})\b"), lambda m: f"{m[1]} {by_digit(m[2])}"),  # H.264
    (re.compile(r"\b([A-Za-z]+)-(\d+\.\d+)(?:-(?=\d+[A-Za-z]))?(?![\d.])"), lambda m: f"{m[1]} {number(m[2])} "),
    (re.compile(r"(?<=\b[A-Z]{2} )\d{5}(?:-\d{4})?(?=[.,;)]|$)"), lambda m: by_digit(m[0])),
    (re.compile(r"(?<![\w.])(\d+)\s?([dhwy]|mo) ago\b"), lambda m: _ago(m)),
    (re.compile(r"\b(Step|Page|Part|Slide|Question|Chapter|Episode|Round|Lap|Exercise|Lesson|Day)"
                r"( \d{1,3})/(\d{1,3})\b"),
     lambda m: f"{m[1]}{m[2]} of {m[3]}"),
    (re.compile(r"(?<=\d)\.x\b"), lambda m: " point x"),
    (re.compile(r"(?<=\d)\s?[★⭐]"), lambda m: " stars"),
    (re.compile(r"^(\d{1,2})[.)]\s+(?=[A-Za-z])"), _list_number),
    (re.compile(r"(?<![\w.])(\d{1,3})/F\b"), lambda m: f"{ordinal(m[1])} floor"),
    (re.compile(rf"(?<![\w.$])({one_of(table('en', 'fixed'))})(?!\w|[.,]\d)"),
     lambda m: str(table("en", "fixed")[m[1]])),
    *EARLY_CODE_RULES,
    (re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d)"), lambda m: " dot ".join(map(by_digit, m[0].split(".")))),
    (re.compile(r"(?<![\d.])\d+(?:\.\d+){2,}(?!\.?\d)"), lambda m: f" {' point '.join(map(whole, m[0].split('.')))}"),
    # 230(c)(1), 7-6(5)
    (re.compile(r"(?<=\d)(?:\((?:[a-z]|\d{1,2}|[ivx]{1,4})\)){1,4}"),
     lambda m: " " + " ".join(map(_of_list, re.findall(r"\w+", m[0])))),
    *MATH_RULES,
    # 2.0-liter
    (re.compile(rf"(?<![\w.-])({_N})-(?=[a-z]{{2,}})"), lambda m: f"{number(m[1])} "),
    (re.compile(rf"(?<![\w.,:/-])({_N})\s?[-–—~]\s?({_N})(?![\w:/-]|,\d)"), _range),
    (re.compile(r"(?<![\w:.])(\d{1,3}):(\d{1,3})(?![\w:])"), lambda m: f"{number(m[1])} to {number(m[2])}"),
    (re.compile(r"(?<![\w.])(\d+)(?:st|nd|rd|th)\b"), lambda m: ordinal(m[1])),
    (re.compile(rf"(?<![\w.])({_N})\s?(M|bn|mn|tn)\b"), lambda m: f"{number(m[1])} {table('en', 'scales')[m[2]]}"),
    (re.compile(r"(?<=\b[Tt]he )(5|10)[kK]\b|(?<=\ba )(5|10)[kK]\b"), lambda m: f"{number(m[1] or m[2])} K"),
    (re.compile(r"(?<![\w.])(\d\.\d)K(?= (?:video|footage|display|screen|monitor|resolution|camera|recording|at)\b)"),
     lambda m: f"{number(m[1])} K"),
    (re.compile(r"(?<![\w.])(\d+\.\d+[kK]|(?:\d{2,3}|\d)[kK](?<!\b[248][kK]))\b"),
     lambda m: f"{number(m[1][:-1])} thousand"),
    (re.compile(rf"(?<![\w.,])({_N})\s?[-–]\s?({_N})([kK])\b"),
     lambda m: f"{number(m[1])} to {number(m[2])} thousand"),
    (re.compile(r"(?<![\w.])(\d+\.\d+)B\b"), lambda m: f"{number(m[1])} billion"),
    (re.compile(r"(?:\bNos?\. ?|\bno\. ?|# ?|№ ?)(?=\d)|(?<=[Rr]eference )no\. ?(?=[A-Z])"), lambda m: "number "),
    *CODE_RULES,
    (re.compile(rf"(?<![\w.)])\s?[-−](?={_N})"), lambda m: " minus "),
    (re.compile(r"(?<!\w)~\s?(?=\d)"), lambda m: "about "),
    (re.compile(r"(?<=\w)~(?=\d)"), lambda m: " tilde "),
    (re.compile(r"(?<![\w.,])\d{4}(?!\w|[.,]\d)"), _unclear_four),
    (re.compile(rf"{_N}|(?<!\d)\.\d+"), lambda m: f" {number(m[0])} "),
    (re.compile(r"\d+"), lambda m: f" {number(m[0])} "),
)  # fmt: skip

_LAST_RULES: tuple[Rule, ...] = (
    (re.compile(r"(?<![\w~])~(?=\w)"), lambda m: "about "),
    (re.compile(r"(?<=\s)<(?=[\s.,;!?]|$)|(?<![\w<])<(?=\s*\w)"), lambda m: " less than "),
    (re.compile(r"(?<=\s)>(?=[\s.,;!?]|$)|(?<![\w>=-])>(?=\s*\w)"), lambda m: " greater than "),
    (re.compile(r"\s?&&\s?"), lambda m: " and "),
    (re.compile(r"\\(?=[A-Za-z])"), lambda m: " backslash "),
    (re.compile(r"[{}\[\]\\]"), lambda m: " "),
    (re.compile(r"\^"), lambda m: " caret "),
    (re.compile(r"(?<=[a-z])\.(?=[A-Za-z_]{2,40}\()"), lambda m: " dot "),
    (re.compile(rf"\b({'|'.join(sorted(OBJECTS))})\.(?=[a-z])"), lambda m: f"{m[1]} dot "),
    (re.compile(r"\b([A-F])[-−](?=[\s,.;:!?)]|$)"), lambda m: f"{m[1]} minus"),
    (re.compile(r"(?<=\b[a-z]) / (?=[a-z]\b)|(?<=\)) ?/ ?(?=\(|\w)"), lambda m: " over "),
    (re.compile(r"(?<=[A-Z]\+)/(?=[A-Z])"), lambda m: ", "),  # ER+/PR-
    (re.compile(r"\b([A-Z]{2,4}(?: (?:two|three|four))?)[-−](?=[\s,.;/)]|$)"), lambda m: f"{m[1]} negative"),
    (re.compile(r"(?<=\bSELECT )\*|(?<=\bselect )\*|(?<=\()\*(?=\))"), lambda m: "star"),
    (re.compile(r"(?<=[\w)]) \* (?=[\w(])"), lambda m: " times "),
    (re.compile(r"(?<=\b[A-Z])–(?=[A-Z]\b)"), lambda m: " to "),  # seats A–C
    (re.compile(r"@(?=\w)"), lambda m: " at "),
    (re.compile(r"#(?=\w)"), lambda m: ""),
    (re.compile(r"#(?=\s|$)"), lambda m: "number"),
    (re.compile(r"\$(?=[A-Z_]{2,})"), lambda m: ""),  # of a shell
    (re.compile(r"(?<=\w)~(?=[\w\s])"), lambda m: " tilde "),
    (re.compile(r"\(\+\)"), lambda m: "positive"),
    (re.compile(r"(?<=[a-z])_(?=[A-Za-z])|[_|]"), lambda m: " "),
    (re.compile(r"(?<=\w)/(?=\w)"), lambda m: " "),
    (re.compile(r"(?<=\w)\s+/\s+(?=\w)"), lambda m: ", "),
    (re.compile(r"[℠®™•◦▪●■□◆★☆⭐]"), lambda m: ""),
    (_SIGN, lambda m: f" {_SIGNS[m[1]]} "),
)


def normalize_english(text: str, before: str = "") -> str:
    """The text with numbers, dates, times, measures, money, titles and signs in words. No digit is left.

    before: the text before it, which tells a code from a quantity ("code is" 4821).
    """
    plain = " ".join(text.split())
    if not _NEEDED.search(plain):
        return plain
    plain = _CAMEL.sub(lambda m: _HUMP.sub(r" \g<0>", m[0]).lower(), plain)
    plain = ADDRESS.sub(lambda m: spoken_address(m, table("en", "address"), _address_number, " "), plain)
    plain = _GLUED.sub(r"\1 ", plain)
    plain = short_forms(spans_of_days(abbreviations(plain, before)), before)
    for pattern, spoken in FORMULA_RULES:
        plain = pattern.sub(spoken, plain)
    if any(map(str.isdigit, plain)):
        for pattern, spoken in DATE_RULES:
            plain = pattern.sub(spoken, plain)
        plain = _CODE_SIGN.sub("number ", plain)
        plain = digits_after_code(days_of_months(plain, before), before)
        for pattern, spoken in (*MEASURE_RULES, *_NUMBER_RULES):
            plain = pattern.sub(spoken, plain)
    plain = roman_numerals(plain, before)
    for pattern, spoken in _LAST_RULES:
        plain = pattern.sub(spoken, plain)
    return re.sub(r"\s+(?=[,.;:!?)])|(?<=\()\s+", "", " ".join(plain.split()))


def _address_number(digits: str) -> str:
    return whole(digits) if len(digits) < 3 and digits[0] != "0" else by_digit(digits)
