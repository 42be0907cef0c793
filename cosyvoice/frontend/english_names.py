"""English abbreviations, short forms and Roman numerals."""

from __future__ import annotations

import re

from cosyvoice.frontend.english_numbers import ordinal, roman, whole
from cosyvoice.frontend.tables import one_of, table

_ABBREVIATIONS = table("en", "abbreviations")
# Also with a capital at the start of a sentence.
_AT_START = {name.capitalize(): name for name in _ABBREVIATIONS if name.islower()}
_AT_START = {capital: name for capital, name in _AT_START.items() if capital not in _ABBREVIATIONS}
_NUMBERED = table("en", "numbered")
_BEFORE_NUMBER = re.compile(rf"(?<![\w.\d])(?<!\d )({one_of(_NUMBERED)})\. ?(?=\d)")
_SHORT = table("en", "short_forms")
_ROMAN = table("en", "roman")
_ABBREVIATION = re.compile(
    rf"(?<![\w./])(?!(?<=\d[\s-])m(?:in|ax)\b)({one_of([*_ABBREVIATIONS, *_AT_START])})\.(?!\w)|(?<![\w.])(e\.g|i\.e)\b"
)
_STREETS = table("en", "streets")
# After a name or an ordinal: Baker St, 42nd St in, Elm Ave NW. "Dr" and "Ct" after a name may be something else.
_NAMED_STREET = re.compile(
    rf"(?<=[a-z\d] )({one_of(_STREETS)})\.?(?=$|[,;)]| (?:[NS][EW]?|[EW])\b| (?:#|\d|Apt|Suite|Ste|Unit|and|at|in|on|to"
    r"|near|for|is|was|from|then|or)\b)"
)
_DIRECTIONS = {"N": "North", "S": "South", "E": "East", "W": "West"}
_DIRECTION = re.compile(
    rf"(?<![\w.])([NSEW])\.? (?=(?:\d+(?:st|nd|rd|th)|[A-Z][a-z]+) (?:{one_of(_STREETS)}|Street|Avenue)\b)"
)
_HOUSE_PARTS = {
    "Apt": "apartment", "Ste": "suite", "Bldg": "building", "Rm": "room", "Hwy": "highway", "Rte": "route",
}  # fmt: skip
_PART_OF_HOUSE = re.compile(r"(?<![\w.])(Apt|Ste|Bldg|Rm|Hwy|Rte)\.?(?=\s#?\d)")
_TITLE = re.compile(r"(?<![\w.])(Dr|Mr|Mrs|Ms|Prof|Gen|Capt|Lt|Sgt|Rev)\.(?=[A-Z])")
_SAINT = re.compile(r"(^|(?<!\w)[a-z]+,? |[.,:;!?] )St (?=[A-Z][a-z]{2,})")  # leaves St Pancras
_STREET = re.compile(r"(?<![\w.])(St|Dr)\.(?=(\s*)(.?))")
_IN_CAPITALS = [name.upper() for name in _SHORT if len(name) > 2 and name.islower()]  # not MoM: "MOM" is a word
_COMMAND = r"nvm (?:use|install|ls|alias|run|exec|current)\b"  # of a shell
_SHORT_FORM = re.compile(rf"(?<![\w/.'’-])(?!{_COMMAND})({one_of([*_SHORT, *_IN_CAPITALS])})(?![\w/'’-]|\.\w)")
DAY_AT_END = re.compile(
    r"\b(Mon|Tues?|Wed|Thu|Thurs?|Fri)(?:\.(?=,)|(?=[,.]?$))|\b(Sat|Sun)\.(?=,)"
    r"|^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)(?=:)"
)
_YEARS_OLD = re.compile(r"(?<=\d)[ -]?y/?o(?= [a-z])")  # a 67 y/o male; else "67 years old"
_AND_CAPITAL = re.compile(r"\b[A-Z][\w'’]*[\s]+$")
_AFTER_KING = re.compile(r"(?:and|or|was|is|of|in|ruled|reigned|died|became|had|who|to|by|[a-z]{3,}ed)\b")
_STREET_NAME = re.compile(r"\b(?:[A-Z][\w'’]*|\d+(?:st|nd|rd|th)) $")
_NUMERAL = re.compile(r"(?<=\s)([IVXLCDM]+)(?=[\s,.;:!?)'’]|$)|^([IVXLCDM]+)(?=[\s,.;:!?)'’]|$)")
_WORD_BEFORE = re.compile(r"([A-Za-z]+)\.?\s+$")


def abbreviations(text: str, before: str) -> str:
    """Abbreviations with their dot. A dot at the end of the text stays, because it ends the sentence too."""

    def street(match: re.Match[str]) -> str:
        name = _AND_CAPITAL.search((before + " " + text[: match.start()])[-30:]) is not None
        if match[1] == "Dr" and not (name and not match[3].isupper()):
            return match.group()
        after_name = name and not (match[1] == "Dr" and match[3].isupper())
        dot = "" if match[3] else "."
        word = {"St": "street", "Dr": "drive"}[match[1]] if after_name or not match[3].isupper() else "saint"
        return word + dot

    def named_street(match: re.Match[str]) -> str:
        named = _STREET_NAME.search((before + " " + text[: match.start()])[-30:])
        return str(_STREETS[match[1]]) if named else match.group()

    def spoken(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        ends = match.end() == len(text) and match.group().endswith(".")
        return f"{_ABBREVIATIONS[_AT_START.get(name, name)]}{'.' if ends else ''}"

    text = _BEFORE_NUMBER.sub(lambda m: f"{_NUMBERED[m[1]]} ", text)
    text = re.sub(r"\bRev\.(?= [$€£\d])", "revenue", text)
    text = re.sub(r"\bEst\. (?=1\d{3}|20\d\d)", "established ", text)
    text = _TITLE.sub(lambda m: _ABBREVIATIONS[m[1]] + " ", text)
    text = _SAINT.sub("\\1Saint ", text)
    text = _PART_OF_HOUSE.sub(lambda m: _HOUSE_PARTS[m[1]], text)
    text = _DIRECTION.sub(lambda m: _DIRECTIONS[m[1]] + " ", text)
    text = _NAMED_STREET.sub(named_street, text)
    text = _STREET.sub(street, text)
    # "min." is minutes after a number; the rules of measures read it.
    kept = re.sub(r"(?<=\d)([\s-]?)(min|max)\.", r"\1\2", text)
    text = kept + "." if text.endswith(("min.", "max.")) and kept != text else kept
    return _ABBREVIATION.sub(spoken, text)


def short_forms(text: str, before: str = "") -> str:
    """Short forms without a dot: "btw", "vs"; and days at the end of a clause."""
    if text.rstrip(",") in ("Sat", "Sun") and before.rstrip().endswith(":"):
        return str(table("en", "days")[text.rstrip(",")]) + text[3:]
    text = _YEARS_OLD.sub(" year old", text)
    text = DAY_AT_END.sub(lambda match: str(table("en", "days")[next(filter(None, match.groups()))]), text)
    return _SHORT_FORM.sub(lambda match: _SHORT[match[1] if match[1] in _SHORT else match[1].lower()], text)


_ROMAN_PAGES = re.compile(r"\b(pages?|verses?|stanzas?) ([ivxlc]{1,7})(?:\s?[-–]\s?([ivxlc]{1,7}))?(?!\w)")


def _roman_pages(match: re.Match[str]) -> str:
    """Pages iv-ix."""
    values = [roman(numeral.upper()) for numeral in match.groups()[1:] if numeral]
    return match[0] if None in values else f"{match[1]} {' to '.join(whole(str(value)) for value in values)}"


def roman_numerals(text: str, before: str) -> str:
    """Roman numerals after a word that has a number (Chapter IV) or after a name (Henry VIII)."""

    def spoken(match: re.Match[str]) -> str:
        numeral = match[1] or match[2]
        value = roman(numeral)
        previous = _WORD_BEFORE.search((before.rstrip() + " " + text[: match.start()])[-40:])
        if (
            value is None
            or previous is None
            or (not previous[1][0].isupper() and previous[1] not in _ROMAN["cardinal"])
        ):
            return match.group()
        word = previous[1].lower()
        if re.search("[LCDM]", numeral) and (word not in _ROMAN["cardinal"] or len(numeral) < 2):
            return match.group()  # "Apple CD", "Vitamin C"
        if word in _ROMAN["cardinal"]:
            return whole(str(value))
        following = text[match.end() :].lstrip()
        if numeral == "I" and following[:1].islower() and not _AFTER_KING.match(following):  # "as King I rule"
            return match.group()
        if word in _ROMAN["ordinal"]:
            return f"the {ordinal(str(value))}"
        return whole(str(value)) if len(numeral) > 1 else numeral

    text = _ROMAN_PAGES.sub(_roman_pages, text)
    return _NUMERAL.sub(spoken, text) if re.search(r"[IVXLCDM]", text) else text
