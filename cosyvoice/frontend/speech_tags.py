"""SSML's tags that change what is said: `<sub>` and `<say-as>`. And which tags are known. Pure.

An element, also `<phoneme>`, arrives whole (`ELEMENT` is part of `plain.ATOM`), so its content has at most
`LONGEST_CONTENT` characters.
"""

from __future__ import annotations

import re

LONGEST_CONTENT = 80
# Of the elements whose text is read in another way.
ELEMENTS = ("sub", "say-as")
_ATTRIBUTES = r"(?:\s[^<>\n]{0,120})?"
_EITHER = "|".join(ELEMENTS)
ELEMENT = rf"<(?P<element>{_EITHER}|phoneme){_ATTRIBUTES}>[^<>\n]{{0,{LONGEST_CONTENT}}}</(?P=element)>"
# An element that has begun and may still become complete.
OPEN_ELEMENT = rf"<(?:{_EITHER}|phoneme){_ATTRIBUTES}>[^<>\n]{{0,{LONGEST_CONTENT}}}(?:</?[a-z-]{{0,7}})?$"

_PARTS = re.compile(rf"<({_EITHER})({_ATTRIBUTES})>([^<>\n]{{0,{LONGEST_CONTENT}}})</\1>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"([\w-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_DIGITS = re.compile(r"\d+", re.ASCII)
_NUMERIC_DATE = re.compile(r"\d{1,4}(?:[./-]\d{1,4}){1,2}", re.ASCII)
_NAME = re.compile(r"</?\s*([A-Za-z][\w:-]*)|<!")
_KNOWN = frozenset([
    "a", "abbr", "address", "article", "aside", "audio", "b", "bdi", "bdo", "blockquote", "body", "br", "break",
    "button", "canvas", "caption", "center", "cite", "code", "col", "dd", "del", "details", "dfn", "div", "dl", "dt",
    "em", "emphasis", "fieldset", "figcaption", "figure", "font", "footer", "form", "h1", "h2", "h3", "h4", "h5",
    "h6", "head", "header", "hr", "html", "i", "iframe", "img", "input", "ins", "kbd", "label", "lang", "laughter",
    "legend", "lexicon", "li", "link", "main", "mark", "meta", "nav", "noscript", "ol", "option", "p", "paragraph",
    "phoneme", "pre", "prosody", "q", "s", "samp", "say-as", "script", "section", "select", "sentence", "small",
    "source", "span", "speak", "strike", "strong", "style", "sub", "summary", "sup", "svg", "table", "tbody", "td",
    "template", "textarea", "tfoot", "th", "thead", "time", "title", "tr", "tt", "u", "ul", "var", "video", "voice",
    "wbr",
])  # fmt: skip


def is_known(tag: str) -> bool:
    """Whether a tag is one of HTML's or SSML's, or a comment."""
    name = _NAME.match(tag)
    return name is not None and (name[1] is None or name[1].lower() in _KNOWN)


def spoken_elements(text: str) -> str:
    """`text` with what is to be said in place of each element."""
    return _PARTS.sub(_spoken, text) if "<s" in text.lower() else text


def _spoken(match: re.Match[str]) -> str:
    name, attributes, content = match[1].lower(), dict(attributes_of(match[2])), match[3].strip()
    if name == "sub":
        return attributes.get("alias", content)
    match attributes.get("interpret-as", ""):
        case "characters" | "spell-out" | "verbatim":
            return " ".join(c for c in content if not c.isspace())
        case "digits":
            return " ".join(c for c in content if c.isdigit() or c in "+,")
        case "telephone":
            return ("+" if content.startswith("+") else "") + ", ".join(map(" ".join, _DIGITS.findall(content)))
        case "date":
            return _date(content, attributes.get("format", ""))
        case "cardinal" | "number":
            return f"{int(content):,}" if content.isascii() and content.isdigit() else content  # 1,024 is no code
        case "ordinal" if content.isdigit():
            return content + _ordinal_ending(content)
        case _:  # time, currency: as they are read anyway
            return content


def _date(content: str, form: str) -> str:
    """A date of numbers in the form of ISO 8601, which is read alike everywhere; without a year as --04-03.

    form: the order of day, month and year, such as dmy, or dd.mm.yyyy. Empty: the month before the day.
    """
    numbers = _DIGITS.findall(content) if _NUMERIC_DATE.fullmatch(content) else []
    order = "".join(dict.fromkeys(letter for letter in form.lower() if letter in "dmy"))
    if not order and len(numbers) == 2:
        order = "dm" if int(numbers[0]) > 12 else "md"
    named = dict(zip(order, map(int, numbers))) if len(order) == len(numbers) else {}
    month, day, year = named.get("m", 0), named.get("d", 0), named.get("y")
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return content
    if year is None:
        return f"--{month:02}-{day:02}"
    if year < 100:
        year += 1900 if year > 50 else 2000
    return f"{year:04}-{month:02}-{day:02}"


def attributes_of(text: str) -> list[tuple[str, str]]:
    """The names and values in a tag."""
    return [(found[1].lower(), found[2] or found[3] or "") for found in _ATTRIBUTE.finditer(text)]


def _ordinal_ending(digits: str) -> str:
    if len(digits) > 1 and digits[-2] == "1":
        return "th"
    return {"1": "st", "2": "nd", "3": "rd"}.get(digits[-1], "th")
