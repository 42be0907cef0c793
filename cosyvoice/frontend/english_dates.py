"""English dates and times: patterns and how they are spoken."""

from __future__ import annotations

import re
from collections.abc import Callable

from cosyvoice.frontend.english_numbers import by_digit, number, ordinal, whole, year
from cosyvoice.frontend.tables import one_of, table

_MONTH_NAMES = (
    "", "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_MONTHS = table("en", "months")
_DAYS = table("en", "days")
_SHORT_DAY = one_of(_DAYS)
_FULL = "January|February|March|April|May|June|July|August|September|October|November|December"
_SHORT = one_of(_MONTHS)
_TENS = ("", "", "twenties", "thirties", "forties", "fifties", "sixties", "seventies", "eighties", "nineties")
_DAY_BEFORE = re.compile(rf"\b(?:{_SHORT_DAY}|[A-Z][a-z]+day)\.?,?\s*$")
_DATE_BEFORE = re.compile(
    r"(?<!multiply )(?<!multiplied )(?<!divide )(?<!divided )"
    r"\b(?:on|by|before|until|till|due|starting|dated|date:?|ends?|expires?|begins?|starts?|deadline:?|as of"
    r"|(?:week|weekend|night|morning|afternoon|evening) of)\s+$",
    re.IGNORECASE,
)
_MAYBE_DATE_BEFORE = re.compile(r"\b(?:from|since|after|through|thru|to|and|for|between|the|is|was)\s+$", re.IGNORECASE)
_AM_PM = r"(?:\s?([AaPp])\.?\s?[Mm](?:\.(?=\s?[a-z,;:!?])|\b\.?(?=\.)|\b))"


def _date(year_digits: str, month: int, day: int) -> str | None:
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    return f"the {ordinal(str(day))} of {_MONTH_NAMES[month]} {year(year_digits)}"


def _iso(match: re.Match[str]) -> str:
    return _date(match[1], int(match[2]), int(match[3])) or match.group()


def _slashed(match: re.Match[str]) -> str:
    """Month first, as in America, unless the first number can only be a day. With dots the day is first."""
    first, second, digits = int(match[1]), int(match[3]), match[4]
    if len(digits) == 2:
        digits = ("19" if int(digits) > 50 else "20") + digits
    day_first = first > 12 or match[2] == "."
    month, day = (second, first) if day_first else (first, second)
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return match.group()
    if day_first:
        return f"the {ordinal(str(day))} of {_MONTH_NAMES[month]} {year(digits)}"
    return f"{_MONTH_NAMES[month]} {ordinal(str(day))} {year(digits)}"


def _month_day(match: re.Match[str]) -> str:
    month = _MONTHS.get(match[1], match[1])
    last = f", {year(match[4])}" if match[4] else ""
    return f"{month} {ordinal(match[2])}{last}"


def _month_days(match: re.Match[str]) -> str:
    """Nov. 4-6, 2026."""
    first, last = int(match[2]), int(match[3])
    if not first < last <= 31:
        return match.group()
    month = _MONTHS.get(match[1], match[1])
    return f"{month} {ordinal(match[2])} to {ordinal(match[3])}" + (f", {year(match[4])}" if match[4] else "")


def _span_of_days(match: re.Match[str]) -> str:
    """11/28-12/1, but not 1/3-1/2."""
    months, days = (int(match[1]), int(match[3])), (int(match[2]), int(match[4]))
    if max(months) > 12 or max(days) > 31 or min(*months, *days) < 1 or max(days) < 9:
        return match.group()
    return " to ".join(f"{_MONTH_NAMES[month]} {ordinal(str(day))}" for month, day in zip(months, days))


def _day_month(match: re.Match[str]) -> str:
    last = f" {year(match[3])}" if match[3] else ""
    the = "" if match.string[: match.start()].lower().endswith("the ") else "the "
    return f"{the}{ordinal(match[1])} of {_MONTHS.get(match[2], match[2])}{last}"


def _time(match: re.Match[str]) -> str:
    hour, minute, second, half = int(match[1]), match[2], match[3], match[4]
    if hour > 24 and not second:  # 31:05 of a race or a film
        return f"{whole(match[1])} {'oh ' if minute[0] == '0' else ''}{whole(minute)}"
    if second and not half and (hour > 24 or match[1] in ("00", "0") or len(match[1]) == 1):
        return _length_of_time(hour, int(minute), int(second))
    words = whole(str(hour)) if hour or half else "zero"
    if minute == "00":
        words += "" if half or second else " hundred" if hour > 12 or hour == 0 else " o'clock"
    else:
        words += f" oh {whole(minute)}" if minute[0] == "0" else f" {whole(minute)}"
    if second:
        words += f" and {whole(second)} seconds"
    return words + (f" {half.upper()}M" if half else "")


def _length_of_time(*lengths: int) -> str:
    """1:02:15 -> one hour, two minutes and fifteen seconds."""
    units = ("hour", "minute", "second")
    parts = [f"{whole(str(n))} {unit}{'' if n == 1 else 's'}" for n, unit in zip(lengths, units) if n]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts) or "zero seconds"


def _clock(match: re.Match[str]) -> str:
    """The time in 2025-11-03T14:05:00Z."""
    zone = {"Z": " UTC", None: ""}.get(match[3], "")
    return f", {match[1]}{match[2] or ''}{zone}"


def _decade(match: re.Match[str]) -> str:
    if match[2] == "1":
        return whole(match[1]) + " tens"
    century = whole(match[1]) + " " if match[1] else ""
    return century + _TENS[int(match[2])]


def _span_of_years(match: re.Match[str]) -> str:
    """2008-09, but not 2008-03, which may be a month."""
    if int(match[2]) <= int(match[1][2:]):
        return match.group()
    last = f"oh {whole(match[2])}" if match[2][0] == "0" else whole(match[2])
    return f"{year(match[1])} to {last}"


def _century(match: re.Match[str]) -> str:
    """The 1800s, the 2000s; also 100s and 1000s of things."""
    digits = match[1]
    words = whole(digits) if digits[1:3] == "00" else f"{whole(digits[:2])} hundred"
    return words.removeprefix("one ") + "s"


_SPAN_OF_DAYS = re.compile(rf"\b({_SHORT_DAY})\b\.?\s?[-–—]\s?({_SHORT_DAY})\b\.?")

# A dash between two dates or times, the second with its day or month: Nov 30 – Fri, Dec 11; 2019 – present.
_SPAN_OF_DATES = re.compile(
    rf"(?:(?<=\d)|(?<=\d(?:st|nd|rd|th))|(?<=[ap]m)|(?<=[AP]M)|(?<=[ap]\.m\.))\s?[-–—]\s?"
    rf"(?=(?:(?:{_SHORT_DAY}|[A-Z][a-z]{{2,5}}day)\.?,? )?(?:{_SHORT}|{_FULL})\b\.? \d"
    rf"|(?:{_SHORT_DAY}|[A-Z][a-z]{{2,5}}day)\.?,? \d|(?:{_SHORT_DAY})\b,?$"
    r"|(?:present|today|now|noon|midnight|close|late)\b)"
)
_DAY_LETTERS = {
    "M": "Monday", "Tu": "Tuesday", "W": "Wednesday", "Th": "Thursday", "F": "Friday", "Sa": "Saturday", "Su": "Sunday",
}  # fmt: skip
_SPAN_OF_LETTERS = re.compile(r"(?<![\w-])(M|Tu|W|Th) ?[-–] ?(W|Th|F|Sa|Su)(?![\w-])")
_SPAN_OF_MONTHS = re.compile(rf"\b({_FULL}|{_SHORT})\b\.?\s?[-–—]\s?({_FULL}|{_SHORT})\b\.?")
_ONE_DAY = re.compile(rf"\b({_SHORT_DAY})\b\.?")
_DAYS_TOGETHER = re.compile(rf"{_ONE_DAY.pattern}(?:(?:, ?| ?& ?| and |/)(?:{_SHORT_DAY})\b\.?)+")


# "Sun" alone is a word: closed Sun, on Sat.
_DAY_AFTER = re.compile(
    rf"(?<=\b[Cc]losed )(Sat|Sun)\b\.?|(?<=\b(?:[Oo]n|[Bb]y) )({_SHORT_DAY})\b(?=[ ,!?;)]|$)"
    rf"|(?<=\b(?:this|next|last) )({_SHORT_DAY})\b"
    rf"|(?<!\b[Tt]he )\b({_SHORT_DAY})(?= (?:at \d|(?:morning|afternoon|evening|night|noon)\b))"
)


def spans_of_days(text: str) -> str:
    """Mon-Fri, M-F, and Tue & Thu; also in a text without numbers."""
    text = _SPAN_OF_LETTERS.sub(lambda m: f"{_DAY_LETTERS[m[1]]} to {_DAY_LETTERS[m[2]]}", text)
    text = _SPAN_OF_DATES.sub(" to ", text)
    text = _DAY_AFTER.sub(lambda m: _DAYS[m[1] or m[2] or m[3] or m[4]] + ("." if m[0].endswith(".") else ""), text)
    text = _SPAN_OF_MONTHS.sub(lambda m: f"{_MONTHS.get(m[1], m[1])} to {_MONTHS.get(m[2], m[2])}", text)
    text = _DAYS_TOGETHER.sub(lambda days: _ONE_DAY.sub(lambda day: _DAYS[day[1]], days[0]), text)
    return _SPAN_OF_DAYS.sub(lambda match: f"{_DAYS[match[1]]} to {_DAYS[match[2]]}", text)


def days_of_months(text: str, before: str) -> str:
    """A month and a day, told from a fraction by the words around: "Tuesday, 3/4", "before 3/14"."""

    def spoken(match: re.Match[str]) -> str:
        month, day = int(match[1]), int(match[2])
        if not (1 <= month <= 12 and 1 <= day <= 31) or text[match.end() :].startswith(" of"):
            return match.group()
        words = (before + " " + text[: match.start()])[-16:]
        no_fraction = day > 12 and day not in (16, 20)
        if (
            (len(match[1]) == len(match[2]) == 2 and "0" in (match[1][0], match[2][0]))  # 03/02, 11/05
            or _DAY_BEFORE.search(words)
            or _DATE_BEFORE.search(words)
            or (no_fraction and _MAYBE_DATE_BEFORE.search(words))
        ):
            return f"{_MONTH_NAMES[month]} {ordinal(match[2])}"
        return match.group()

    return re.sub(r"(?<![\w/.])(\d{1,2})/(\d{1,2})(?![\w/])", spoken, text)


_ZONES = "[ECMP][SD]?T|GMT|UTC|BST|CES?T|JST|IST|AES?T"
DATE_RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"(?<![\w/.-])(\d{1,2})/(\d{1,2})\s?[-–—]\s?(\d{1,2})/(\d{1,2})(?![\w/])"), _span_of_days),
    (re.compile(r"(?<=[-/]\d\d)\s?[-–—]\s?(?=(?:19|20)\d\d[-/]\d{1,2}[-/]\d{1,2})"), lambda m: " to "),
    (re.compile(r"(?<!\S)--(\d\d)-(\d\d)(?!\w)"), lambda m: f"{_MONTH_NAMES[int(m[1])]} {ordinal(m[2])}"
     if 0 < int(m[1]) < 13 else m[0]),
    (re.compile(r"(?<![\d/.-])(\d{4})-(\d{1,2})-(\d{1,2})(?:(?=T)|(?![\d/-]|\.\d))"), _iso),
    (re.compile(r"T([0-2]\d:[0-5]\d)(?::00(?:\.\d+)?|(:[0-5]\d)(?:\.\d+)?)?(Z|[+-]\d\d:?\d\d)?(?!\w)"), _clock),
    (re.compile(r"(?<![\d/.-])(\d{4})/(\d{1,2})/(\d{1,2})(?![\d/-])"), _iso),
    (re.compile(r"(?<![\d/.-])(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|(?<=[/])\d{2})(?![\d/-]|\.\d)"), _slashed),
    (re.compile(r"(?<![\w.,/-])((?:19|20)\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?![\w/-]|[.,]\d)"), _iso),
    (re.compile(rf"(?<![\w./-])(\d{{1,2}})-({_FULL}|{_SHORT})-(\d{{4}}|\d\d)(?![\w-])"),  # 12-Mar-2024
     lambda m: f"the {ordinal(m[1])} of {_MONTHS.get(m[2], m[2])} {year(m[3] if len(m[3]) == 4 else '20' + m[3])}"),
    (re.compile(r"\b((?:FY|CY|AY) ?)?(20\d\d)/(\d\d)(?![\w/])"),  # 2024/25
     lambda m: f"{(m[1] or '').strip()} {year(m[2])} {whole(m[3])}"),
    (re.compile(rf"\b({one_of(_DAYS)})\b\.?(?=,? (?:\d|{_SHORT}\b|(?:{_FULL})\b))"), lambda m: _DAYS[m[1]]),
    (re.compile(rf"(?<![\w.,:/$])(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? ({_FULL}|{_SHORT})\b\.?(?:,? (\d{{4}})\b)?"
                r"(?! \d)"), _day_month),
    (re.compile(rf"\b({_FULL}|{_SHORT})\b\.? (\d{{1,2}})(?:st|nd|rd|th)?\s?[-–—]\s?(\d{{1,2}})(?:st|nd|rd|th)?"
                r"(?![\d:/%]|[.,]\d)(?:,? ((?:1[1-9]|20)\d\d)\b)?(?! ?[AaPp]\.?[Mm])"), _month_days),
    (re.compile(rf"\b({_FULL}|{_SHORT})\b\.? (\d{{1,2}})(st|nd|rd|th)?(?![\d:/%]|[.,]\d)(?:,? ((?:1[1-9]|20)\d\d)\b)?"),
     _month_day),
    (re.compile(r"(?<![\w/.-])(0?[1-9]|1[0-2])/(20\d\d)(?![\w/-])"),  # 08/2026
     lambda m: f"{_MONTH_NAMES[int(m[1])]} {year(m[2])}"),
    (re.compile(r"\b([Mm]id|[Ee]arly|[Ll]ate|[Pp]re|[Pp]ost)-((?:1[1-9]|20)\d\d)\b(?![-/]\d)"),
     lambda m: f"{m[1]} {year(m[2])}"),
    (re.compile(r"(?<=\b[IiBb][ny] )1\d{3}(?=[,.;:!?)]|$)|(?<=\b[Ss]ince )1\d{3}(?=[,.;:!?)]|$)"),
     lambda m: year(m[0])),
    # On television: 8/7c, the second in central time.
    (re.compile(r"(?<![\w/])(1[0-2]|[1-9])/(1[0-2]|[1-9])c\b"), lambda m: f"{number(m[1])}, {number(m[2])} central"),
    (re.compile(r"\b([FC]Y) ?((?:19|20)\d\d)\b"), lambda m: f"{m[1]} {year(m[2])}"),
    (re.compile(rf"\b({_SHORT})\b\.? (?=(?:1[1-9]|20)\d\d\b)"), lambda m: f"{_MONTHS[m[1]]} "),
    (re.compile(r"(?<=:[0-5]\d)ish\b"), lambda m: " ish"),
    (re.compile(r"\b(UTC|GMT)\s?[-−](?=\d)"), lambda m: f"{m[1]} minus "),
    (re.compile(r"(?<=:[0-5]\d)([ap])\b(?=\s?[-–—,;.)]|$)"), lambda m: f"{m[1]}m"),  # 8:30a-5:30p
    (re.compile(r"\b(1[0-2]|[1-9])([ap])(?=\s?[-–—]\s?\d{1,2}(?::\d\d)?[ap]\b)"), lambda m: f"{m[1]}{m[2]}m"),
    (re.compile(r"(?<=m to \d)([ap])\b|(?<=[ap]m[-–—]\d)([ap])\b"), lambda m: f"{m[1] or m[2]}m"),
    (re.compile(rf"(?<=\d )([AaPp])\.[Mm]\.(?= (?:{_ZONES}|Eastern|Central|Mountain|Pacific"
                rf"|{_SHORT_DAY}|[A-Z][a-z]{{2,5}}day|{_SHORT}|{_FULL})\b)"), lambda m: f"{m[1]}m"),
    (re.compile(r"(?<=\d)\s?[-–—]\s?(?=\d{1,2}:[0-5]\d)"), lambda m: " to "),
    (re.compile(r"(?<=\d)\s?[-–—]\s?(?=\d{1,2}(?::[0-5]\d)?\s?[AaPp]\.?[Mm]\b)"), lambda m: " to "),
    (re.compile(r"(?<=\d)(\s?[AaPp]\.?[Mm]\b\.?)\s?[-–—]\s?(?=\d{1,2}(?::[0-5]\d)?\s?[AaPp]\.?[Mm])"),
     lambda m: f"{m[1]} to "),
    (re.compile(r"(?<![\w:.])(\d{1,2}):([0-5]\d)\.(\d{1,3})(?![\w:.])"),  # 4:12.6
     lambda m: f"{whole(m[1])} {'oh ' if m[2][0] == '0' else ''}{whole(m[2])} point {by_digit(m[3])}"),
    (re.compile(rf"(?<![\w:.])(\d{{1,2}}):([0-5]\d)(?::([0-5]\d))?{_AM_PM}?(?![\w:])"), _time),
    (re.compile(rf"(?<![\w:.])(\d{{1,2}})(?![\d:]){_AM_PM}(?!\w)"), lambda m: f"{number(m[1])} {m[2].upper()}M"),
    (re.compile(r"(?<!\w)(?:['’]|(1[1-9]|20))([2-9]|(?<=\d\d)1)0['’]?s\b"), _decade),
    (re.compile(r"(?<=\()()([2-9])0s(?=,(?: [a-z]|$))"), _decade),  # Tom (30s, tired)
    (re.compile(r"(?<=\d(?:st|nd|rd|th))\s?[-–—]\s?(?=\d{1,3}(?:st|nd|rd|th)\b)"), lambda m: " to "),
    (re.compile(r"(?<![\w.,-])((?:19|20)\d\d)[-–—](\d\d)(?![\w-]|[.,]\d)"), _span_of_years),
    (re.compile(r"(?<!\w)['’]00s\b"), lambda m: "two thousands"),
    # Expires 09/27: a month and a year.
    (re.compile(r"(?<=[Ee]xp )(0[1-9]|1[0-2])/(\d\d)(?![\w/])"
                r"|(?<=[Ee]xpires )(0[1-9]|1[0-2])/(3[2-9]|[2-9]\d)(?![\w/])"),
     lambda m: f"{_MONTH_NAMES[int(m[1] or m[3])]} {year('20' + (m[2] or m[4]))}"),
    # The 90s, but 30s of time.
    (re.compile(r"\b((?i:the|his|her|their|my|your|our|early|mid|late|low|high|lower|upper|and|or|to)[ -])([2-9])0s\b"),
     lambda m: m[1] + _TENS[int(m[2])]),
    (re.compile(r"(?<![\w.,])([1-9]0?00|1[1-9]00)['’]?s\b"), _century),
    (re.compile(r"(?<![\w.,])(1(?:0{1,2})?),000s\b"), lambda m: f"{whole(m[1]).removeprefix('one')} thousands".strip()),
    (re.compile(r"(?<!\w)['’](\d)(\d)(?![\w'’\"])"),  # the class of '08
     lambda m: f"oh {whole(m[2])}" if m[1] == "0" else whole(m[1] + m[2])),
    (re.compile(r"(?<=\bQ)([1-4])\b"), lambda m: " " + whole(m[1])),
)  # fmt: skip
