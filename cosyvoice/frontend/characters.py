"""Cleans user text: removes the characters that are not spoken. This is the first step of reading a text."""

from __future__ import annotations

import re
import unicodedata

# Full-width letters and digits, circled numbers, ligatures, mathematical alphabets. They become plain characters.
# Indices, and the compatibility forms of units (square metre in one character).
_STYLED = re.compile(
    "[\u2080-\u2089\u3371-\u33df\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\u2460-\u2473\ufb00-\ufb06\U0001d400-\U0001d7ff]"
)
_POWER = re.compile("⁻?(?:[⁰⁴-⁹][⁰¹²³⁴-⁹]*|[¹²³][⁰¹²³⁴-⁹]+)|⁻[¹²³]")
_INDEX = re.compile("[₀-₉]+(?=[0-9])")  # log₂8
_PLAIN_POWER = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_HYPHENS = str.maketrans("‐‑", "--")  # the second is not broken at the end of a line
_FRACTIONS = {one: " " + unicodedata.normalize("NFKC", one).replace("⁄", "/") for one in "½¼¾⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"}
# Signs among the pictographs (Unicode category So) that are read aloud.
_SPOKEN_SIGNS = frozenset("°℃℉№©★⭐")
# A star is read after a number (4.8★), else it is a picture.
_DECORATION = re.compile(r"(?<!\d)(?<!\d )[★⭐]|[★⭐](?= ?[★⭐])")
_EMOJI_PARTS = re.compile("[\u20e3\ufe00-\ufe0f\U000e0100-\U000e01ef\U0001f3fb-\U0001f3ff]")
_VANISHING = frozenset({"Cf", "Cs", "Co", "Cn"})  # format and zero-width, lone surrogates, private use, unassigned
_EMPHASIS = re.compile(  # **bold**, __bold__, `code`, *italic*; not 2**3 and 2*3
    r"(?<![\d*])\*{2,}|\*{2,}(?![\d*])|_{2,}|`+|(?<![\w*])\*(?=\w)(?!\d[\d*]*#)|(?<=[\w.,;:!?'\"”’。，！？])\*(?![\w*])|(?<=[,.;:!?，。：；！？])\*{1,3}$"
)
# :) ;-D :'( ^_^ and <3, with space around; "<3" only at the end, because it is mathematics elsewhere.
_EMOTICON = re.compile(
    r"(?<!\S)(?:[:;]['’]?-?[()DPpOo](?!\w)|\^_+\^|[xX]D|T_T|-_+-)(?=[\s.,!?]|$)|(?<=\w\w )<3+(?=\s*[.!?]?\s*$)"
)
# Signs that are typed as several characters: y <= 10, a -> b, +/- 2.
_TYPED = {"<=": "≤", ">=": "≥", "!=": "≠", "->": "→", "-->": "→", "=>": "→", "+/-": "±", "~=": "≈"}
_TYPED_SIGN = re.compile(r"(?<=[\w\s)\]`])(?:<=|>=|!=|--?>|=>|\+/-|~=)(?=[\w\s(\[$`-])")
_LINE_MARK = re.compile(r"^\s*(?:#{1,6}|[-*•])\s+")


def clean(text: str) -> str:
    """`text` in NFC without the characters that have no reading.

    Control characters (also NUL) and emoji become a space. Zero-width and format characters, lone surrogates, private
    use and unassigned code points are removed, so that they do not split words. Styled letters and digits become plain
    ones. Markdown's emphasis and code marks are removed, and a heading or bullet mark at the start. Runs of whitespace,
    also newlines, become one space; spaces at both ends are removed.
    """
    text = _INDEX.sub(r"\g<0> ", _EMOJI_PARTS.sub("", text)).translate(_HYPHENS)
    text = _STYLED.sub(lambda styled: unicodedata.normalize("NFKC", styled.group()), text)
    text = _DECORATION.sub(" ", text)
    text = _POWER.sub(lambda power: "^" + power[0].translate(_PLAIN_POWER), text.replace("µ", "μ"))
    text = "".join(map(_spoken, unicodedata.normalize("NFC", text)))
    text = _TYPED_SIGN.sub(lambda sign: _TYPED[sign[0]], text)
    text = _EMPHASIS.sub("", _LINE_MARK.sub("", _EMOTICON.sub("", text)))
    return " ".join(text.split())


def _spoken(character: str) -> str:
    if character.isascii() and character.isprintable():
        return character
    if character in _FRACTIONS:
        return _FRACTIONS[character]
    category = unicodedata.category(character)
    if category in _VANISHING:
        return ""
    if category == "Cc" or (category == "So" and character not in _SPOKEN_SIGNS):
        return " "
    return character


def has_no_reading(character: str) -> bool:
    """Whether `clean` leaves out a character that a reader of the text sees: a picture, or a sign of a private font."""
    category = unicodedata.category(character)
    return category in ("Co", "Cn") or (category == "So" and character not in _SPOKEN_SIGNS)


def is_silent(text: str) -> bool:
    """Whether `text` has only punctuation, symbols and whitespace."""
    return all(unicodedata.category(character)[0] in "PSZC" for character in text)
