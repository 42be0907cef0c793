"""English codes: digits that are read one by one, because of their form or of the words before them."""

from __future__ import annotations

import re
from collections.abc import Callable

from cosyvoice.frontend.english_numbers import by_digit, number, plural, whole, year
from cosyvoice.frontend.tables import one_of, table

_WORDS_BETWEEN = r"(?:\.|\b)(?:\s+(?:is|was|are|in|with|at|on|by|number|numbers|no\.?|code|id|to|us))*[\s:#\"'“*-]*$"
# After these words a number of four digits and more is a code, and so are groups of digits with spaces between.
_CODE_BEFORE = re.compile(
    r"\b(?:code|pin|otp|passcode|password|ends?|ending|account|card|flight|extension|zip|postcode|tracking|reference"
    r"|ref|serial|booking|ticket|gate|order|case|id|number|no|invoice|room|locker|badge|plate|isbn|digits|policy|sku"
    r"|confirmation|phone|fax|cell|mobile|hotline|tel|p\.?o\.? box)" + _WORDS_BETWEEN,
    re.IGNORECASE,
)
# After these a number of three digits is one too.
_SURE_CODE_BEFORE = re.compile(
    r"\b(?:pin|otp|passcode|password|(?:area|dialing|country|zip|postal|access|verification|security|entry|door|gate"
    r"|promo)\s+code|code\s+is|digits\s+of\s+(?:\w+\s+){1,3}(?:is|are)|extension|ext|flight|dial(?:ing|ed)?|cvv|cvc|ends\s+in|ending\s+in"
    r"|(?:text|send|sms)\s+\W?[A-Z]{2,12}\W?)" + _WORDS_BETWEEN,
    re.IGNORECASE,
)
_CALL_BEFORE = re.compile(r"\b(?:call|calling|called|text|ring|phone)\s+$", re.IGNORECASE)
# Numbers of services: they are called, and always read digit by digit.
_SERVICES = frozenset(
    ["911", "311", "211", "411", "511", "611", "711", "811", "988", "999", "112", "111", "101", "000"]
)
_SERVICE_AFTER = re.compile(
    r"\s(?:[A-Z]\w+\s){0,3}(?:(?:[Ll]ife|[Hh]ot|[Hh]elp|[Cc]risis )[Ll]ine|call|operators?|dispatch\w*|responders?)\b"
)
# Words of a clause on the web: 404 and the like are codes in it.
_WEB = re.compile(r"\b(?:HTTPS?|API|endpoint|server|page|browser|URL|request|response|client|proxy|status)s?\b")
_STATUS = re.compile(r"(?<![\w.,:/$£€+-])(?:30[1-8]|40[1-9]|4[12]\d|50[1-9])(?![\w%]|[.,:/-]\d| [a-z]{3,}s\b)")
_DIGITS = re.compile(
    r"(?<![\w.,:/$£€+-])((?-i:[A-Z]{0,3}))[ -]?(\d{2,12}(?:[ -]\d{2,8}){0,5})(?![\w:/%]|[.,]\d|-\d|\s?[$€£])"
)
_LETTERS_AND_DIGITS = re.compile(r"[A-Za-z]+|\d+|-")


def phone(match: re.Match[str]) -> str:
    """A telephone number, its groups with a pause between them."""
    text = match.group()
    words = ["eight hundred" if group == "800" else by_digit(group) for group in re.findall(r"\d+", text)]
    return ("plus " if text.startswith("+") else "") + ", ".join(words)


def digits_after_code(text: str, before: str) -> str:
    """Codes that only the words before them tell from quantities: "your code is 4821"."""

    def spoken(match: re.Match[str]) -> str:
        words = (before + text[: match.start()])[-48:]
        groups = re.split("[ -]", match[2])
        long = len(match[2]) > 2 or match[2][0] == "0"
        sure = (long and _SURE_CODE_BEFORE.search(words)) or (
            match[2] in _SERVICES and (_CALL_BEFORE.search(words) or _SERVICE_AFTER.match(text, match.end()))
        )
        if sure or ((len(groups) > 1 or len(match[2]) > 3) and _CODE_BEFORE.search(words)):
            return f"{match[1]} {', '.join(map(by_digit, groups))}".strip()
        return match.group()

    text = _DIGITS.sub(spoken, _KEYS_RUN.sub(_keys, text))
    return _STATUS.sub(lambda status: _by_oh(status[0]), text) if _WEB.search(before + text) else text


def _code(match: re.Match[str]) -> str:
    """Letters and digits in one word: A7-00315, 14C, CO2, B2B."""
    code = match.group()
    words: list[str] = []
    parts = _LETTERS_AND_DIGITS.findall(code)
    digits = sum(map(str.isdigit, code))
    mixed = digits > 4 and len(code) > 7 and sum(part.isdigit() for part in parts) > 1 and code.upper() == code
    pause = len(code) > 6 and code.count("-") == 1 and re.search(r"\d{4,}", code)
    for at, part in enumerate(parts):
        if part == "-":
            if words and pause:
                words[-1] += ","
        elif part.isdigit():
            between = len(part) > 2 and 0 < at < len(parts) - 1 and "-" not in (parts[at - 1], parts[at + 1])  # N501Y
            spelled = mixed or between or len(part) > 3 or (len(part) > 1 and part[0] == "0")
            words.append(by_digit(part) if spelled else number(part))
        else:
            words.append(part)
    return " ".join(words)


def _by_oh(digits: str) -> str:
    """HTTP 404, port 8080: digit by digit, and a zero inside is "oh"."""
    return whole(digits) if digits.endswith("00") else by_digit(digits).replace("zero", "oh")


def _version(match: re.Match[str]) -> str:
    """v3.12, Ubuntu 22.04: its parts are numbers."""
    parts = [f"oh {whole(part)}" if len(part) == 2 and part[0] == "0" else whole(part) for part in match[2].split(".")]
    return f"{match[1]} {' point '.join(parts)}"


def _standard(match: re.Match[str]) -> str:
    """ISO 9001:2015, IEEE 802.11ax."""
    name, digits, part, letters, published = match.groups()
    words = [name, by_digit(digits), f"point {whole(part[1:])}" if part else "", " ".join(letters)]
    return " ".join(filter(None, words)) + (f", {year(published)}" if published else "")


_KEYS_RUN = re.compile(r"(?<![\w*#])[*#]{1,2}\d{1,16}(?:[*#]\d{0,16}){0,4}#(?!\w)")
_KEYS = {"*": "star", "#": "hash"}


def _keys(match: re.Match[str]) -> str:
    """*#06#: keys of a telephone."""
    return " ".join(_KEYS.get(key) or by_digit(key) for key in match[0])


def _pairs(digits: str) -> str:
    """1040 -> ten forty."""
    head, last = whole(digits[:2]), digits[2:]
    if last == "00":
        return f"{head} hundred"
    return f"{head} oh {whole(last)}" if last[0] == "0" else f"{head} {whole(last)}"


_VERSIONED = one_of(table("en", "versioned")["names"])
EARLY_CODE_RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"\b([vV])\.? ?(\d{1,3}(?:\.\d{1,3}){1,3})(?![\w]|\.\d)"), _version),
    (re.compile(rf"\b({_VERSIONED}) (\d{{1,3}}\.\d{{2,3}})(?![\w%]|\.\d)"), _version),
    # PM2.5
    (re.compile(r"(?<![\w.])([A-Za-z]{1,6})(\d+\.\d+)(?![\w]|\.\d)"), lambda m: f"{m[1]} {number(m[2])}"),
    (re.compile(r"\b(ISO|IEC|IEEE|RFC|ANSI|ASTM|DIN) (\d{3,5})((?:\.\d{1,2})?)([a-z]{0,2})"
                r"(?:[:-]((?:19|20)\d\d))?(?![\w]|\.\d)"),
     _standard),
    # Roads: I-405.
    (re.compile(r"\b(I|US|CA|SR|Route|Highway)([- ])([1-9])0([1-9])(?!\w|[.,]\d)"),
     lambda m: f"{m[1]} {whole(m[3])} oh {whole(m[4])}"),
    (re.compile(r"(?<!\w)0x([0-9A-Fa-f]+)(?!\w)"),
     lambda m: "zero x " + " ".join(by_digit(one) if one.isdigit() else one for one in m[1])),
    (re.compile(r"(?<![\w.-])(?:1[-. ])?\d{3}\.\d{3}\.\d{4}(?![\w-]|\.\d)"), phone),
    (re.compile(r"\+\d[\d() .-]{5,18}\d(?![\w-])"), phone),
    (re.compile(r"(?<![\w-])(?:1[-. ])?(?:\(\d{3}\) ?|\d{3}[-.])?\d{3}[-.]\d{4}(?![\w-])"), phone),
    (re.compile(r"(?<![\w.,-])0\d{2,5}(?:[ -]\d{2,8}){1,3}(?![\w-])"), phone),
    (re.compile(r"(?<![\w.,-])\d{3,6}(?:[- ]\d{3,6}){2,5}(?![\w-])"), phone),
    # Aircraft: Boeing 737, 747-400.
    (re.compile(r"(?<=Boeing )(7\d7)(?:-([1-9]00|[89]|10))?\b|(?<![\w.$-])(7[2-8]7)-([1-9]00|[89]|10)\b"),
     lambda m: by_digit(m[1] or m[3]) + (f", {number(m[2] or m[4])}" if m[2] or m[4] else "")),
    (re.compile(r"(?<=\b(?:alpha|delta))\.(?=\d)|(?<=\b(?:beta))\.(?=\d)|(?<=\brc)\.(?=\d)"), lambda m: " "),
    # Form 1040, RTX 4070
    (re.compile(r"(?<=\b[Ff]orm )[1-9]\d{3}(?![\d,.]\d)|(?<=\b[RG]TX )[1-9]\d{3}(?!\w)|(?<=\bR[TX] )[1-9]\d{3}(?!\w)"
                r"|(?<![\w.,$])[1-9]\d{3}(?= (?:Ti|XT|XTX|Super)\b)"), lambda m: _pairs(m[0])),
    # A part is hidden: 415****0132, card ****1234.
    (re.compile(r"(?<!\w)(\d{2,6})\*{3,}(\d{2,6})(?!\w)"), lambda m: f"{by_digit(m[1])}, {by_digit(m[2])}"),
    (re.compile(r"(?<!\w)[*•]{3,}[ -]?(\d{2,6})(?!\w)"), lambda m: by_digit(m[1])),
    # Codes on the radio: a 10-50 at Elm, 10-4.
    (re.compile(r"(?:(?<=\b[Aa] )10-(\d{1,2})|(?<![\w.,$-])10-(4))(?=$|[,.!?]| (?:at|on|in|near)\b)"),
     lambda m: f"ten {number(m[1] or m[2])}"),
    # Ports: -p 8080:80
    (re.compile(r"(?<![\w.:])([1-9]\d{3,4}):(\d{2,5})(?![\w:])"), lambda m: f"{by_digit(m[1])} colon {number(m[2])}"),
    # the 60614 ZIP code
    (re.compile(r"(?<![\w.,$-])\d{3,5}(?= (?:(?:ZIP|zip|postal|area|country|dialing)(?: code)?)\b(?! of))"),
     lambda m: by_digit(m[0])),
    # A town after its postcode: 75006 Paris.
    (re.compile(r"(?:(?<=, )|^)\d{5}(?<!00)(?= [A-Z][a-zé]+(?:[,.;]|$))"), lambda m: by_digit(m[0])),
    # A long number is a code, of ten digits a telephone number.
    (re.compile(r"(?<![\w.,$£€-])(\d{3})(\d{3})(\d{4})(?![\w-]|[.,]\d)"),
     lambda m: ", ".join(map(by_digit, m.groups()))),
    (re.compile(r"(?<![\w.,$£€-])(?:\d{9}|\d{11,})(?![\w-]|[.,]\d)"), lambda m: by_digit(m[0])),
    (re.compile(r"(?<![\w.,-])\d(?:-\d){2,9}(?![\w-]|[.,]\d)"), lambda m: ", ".join(map(by_digit, m[0].split("-")))),
    # 1-800-FLOWERS
    (re.compile(r"(?<![\w-])1-(8\d\d)-(?=[A-Z]{4,10}\b)"),
     lambda m: f"one, {'eight hundred' if m[1] == '800' else by_digit(m[1])}, "),
)  # fmt: skip
CODE_RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"\bFL ?(\d{3})\b"), lambda m: f"flight level {by_digit(m[1])}"),
    # omega-3s, the 787s
    (re.compile(r"(?<=[A-Za-z]-)(\d{1,2})s\b"), lambda m: plural(number(m[1]))),
    (
        re.compile(
            r"\b(HTTP|[Ss]tatus(?: code)?|[Ee]rror(?: code)?|[Pp]ort)(:? )([1-5]\d\d|\d{4,5})(?![\w/%]|[.,:]\d)"
        ),
        lambda m: f"{m[1]}{m[2]}{_by_oh(m[3])}",
    ),
    (re.compile(r"(?<![\w.])(?=[A-Za-z-]*\d)(?=[\d-]*[A-Za-z])[A-Za-z\d]+(?:-[A-Za-z\d]+)*(?![\w])"), _code),
)
