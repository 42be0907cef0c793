"""English mathematics: powers, fractions, products and functions."""

from __future__ import annotations

import re
from collections.abc import Callable

from cosyvoice.frontend.english_numbers import fraction, number, whole

_N = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?"
_USUAL_PARTS = frozenset([*range(2, 13), 16, 20, 32, 64, 100])
_LETTER = r"[a-zA-Zα-ω]"


def _power(match: re.Match[str]) -> str:
    base = number(match[1]) if match[1][0].isdigit() else match[1]
    power = match[2].strip("{}")
    if power in ("2", "3"):
        return f"{base} {'squared' if power == '2' else 'cubed'}"
    minus, digits = ("minus " if power[0] == "-" else ""), power.lstrip("-")
    return f"{base} to the power of {minus}{number(digits) if digits.isdigit() else digits}"


def _slash(match: re.Match[str]) -> str:
    over, under = match[1], match[2]
    if " / " in match[0] and match.string.count(" / ") > 1:  # a path of pages
        return f"{over}, {under}"
    whole_numbers = over.isdigit() and under.isdigit()
    if under in ("10", "100") and whole_numbers and over[0] != "0" and not match.string.startswith(" of", match.end()):
        return f"{number(over)} out of {number(under)}"
    if over == under or (whole_numbers and int(over) + int(under) == 100):  # 50/50, 60/40
        return f"{number(over)} {number(under)}"
    if whole_numbers and 0 < int(over) < int(under) and int(under) in _USUAL_PARTS and under[0] != "0":
        return fraction(int(over), int(under))
    return f"{number(over)} over {number(under)}"


def _mixed(match: re.Match[str]) -> str:
    part = fraction(int(match[2]), int(match[3]))
    return f"{whole(match[1])} and {part.replace('one half', 'a half').replace('one quarter', 'a quarter')}"


_RESULT = re.compile(rf"{_N}(?:\s?[×x*]\s?{_N})*\s(?:is|equals|gives|makes|comes to)(?: about| roughly)? \$?\d")


def _product(match: re.Match[str]) -> str:
    """A product in an equation, else the sides of something: 7 × 8 = 56, and 9x13 inches."""
    times = match[2] == "*" or "=" in match.string or _RESULT.match(match.string, match.end())
    return f"{number(match[1])} {'times' if times else 'by'} "


def _minus_in_equation(match: re.Match[str]) -> str:
    """f(x) = 2x^3 - 4x"""
    before = match.string[: match.start()]
    return " minus " if "=" in before or "^" in before else match[0]


def _times(match: re.Match[str]) -> str:
    """20x faster, flipping 1x."""
    once = match[1] == "1" and not match.string.startswith(" ", match.end())
    return f"{number(match[1])} {'time' if once else 'times'}"


def _term(match: re.Match[str]) -> str:
    """2x in x^2 + 2x, but not "= 2x faster"."""
    is_formula = re.search(r"\b[a-z](?:\b| squared| cubed)", match.string[: match.start()])
    return f"{number(match[1])} {match[2]}" if is_formula else match[0]


def _average(match: re.Match[str]) -> str:
    """Of baseball: .312 is "three twelve"."""
    hundreds, rest = match[1][0], match[1][1:]
    words = "hundred" if rest == "00" else f"oh {whole(rest)}" if rest[0] == "0" else whole(rest)
    return f"{whole(hundreds)} {words}"


MATH_RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)?([a-z])\s[-−]\s(?=\d[^=]*=)"),
     lambda m: f"{number(m[1]) if m[1] else ''} {m[2]} minus "),
    (re.compile(r"(?<![\w.])\.([1-9]\d\d)(?=[^.]{0,24}\b(?:OPS|average|avg|hitter|slugging|on-base|batting|BA)\b)"),
     _average),
    (re.compile(r"(?:(?<=\b(?:hits|bats) )|(?<=\b(?:hitting|batting) ))\.([1-9]\d\d)\b"), _average),
    (re.compile(r"(?<![\w.])(\d{1,3}|[a-z])!(?=\s?[=×*/+<>)])"),
     lambda m: f"{number(m[1]) if m[1].isdigit() else m[1]} factorial"),
    (re.compile(r"(?<![\w.])(\d+)([a-z])(?=\s?\^)"), lambda m: f"{number(m[1])} {m[2]}"),
    (re.compile(r"(?<![A-Za-z])([A-Za-z]+|(?<!\d)\d+)\s?\^\s?(\{?-?\w+\}?)"), _power),
    # a^2 + 2x
    (re.compile(r"(?<=[+−=-] )(\d{1,4})([a-z])(?=\s?[+−=^)]|[.,;]?$| (?:is|equals|and|minus|plus)\b)"), _term),
    (re.compile(rf"(?<![\w.])({_N})\s?x(?=\s[a-z]|$|[.,;)](?!\w))"), _times),
    (re.compile(rf"(?<![\w./])({_N})\s?([x×*])\s?(?={_N})"), _product),
    (re.compile(r"(?<![\w/.])(\d+) (\d)/(\d{1,2})(?![\w/])"), _mixed),
    (re.compile(rf"(?<![\w/.-])({_N})\s?[/⁄]\s?({_N})(?![\w/]|\.\d)"), _slash),
    (re.compile(r"\b(\w+)⁄(\w+)"), lambda m: f"{m[1]} over {m[2]}"),
)  # fmt: skip
# Without numbers too.
FORMULA_RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"(?<![\w.])(\d{1,2})(ac|ab|bc|xy|xz|yz|gh|mv|pq)(?!\w)"),  # 4ac
     lambda m: f"{number(m[1])} {' '.join(m[2])}"),
    (re.compile(r"(?<![\w.'’-])([ntxy][-−](?=\d{1,2}(?![\w-]))|[ij][-−](?=\d(?![\w-])))"),  # n-1
     lambda m: f"{m[0][0]} minus "),
    (re.compile(rf"(?<=\()({_N}) [-−] (?={_N}\)\s?[\d/×*+=−(-])"), lambda m: f"{m[1]} minus "),
    (re.compile(r"(?:(?<=\b[a-z])|(?<=\d)) % (?=\d)"), lambda m: " mod "),  # i % 3 == 0
    (re.compile(r"∣([^∣]{1,6})∣"), lambda m: f"the absolute value of {m[1]}"),
    (re.compile(rf"(?<![\w'’])([fghFGHP])\(({_LETTER}|-?\d{{1,4}})\)"), lambda m: f"{m[1]} of {m[2]} "),
    (re.compile(r"(?:(?<=[=≤≥<>≠≈×÷/(,⁄] )|(?<=[=≤≥<>≠≈×÷/(⁄]))[-−](?=[a-zA-Z]\b|√)|^−(?=[a-zA-Z]\b|√)"),
     lambda m: "minus "),
    (re.compile(rf"(?<![\w'’-])({_LETTER}|\d+)\s?−\s?(?={_LETTER}\b)"), lambda m: f"{m[1]} minus "),
    (re.compile(rf"(?<![\w'’-])({_LETTER})\s-\s(?={_LETTER}\b)"), lambda m: f"{m[1]} minus "),
    (re.compile(r"(?<=[\w²³)]) [-−] (?=\d{0,4}[a-z]?\b(?! ?[a-z]{2})[^=]{0,40}$)"), _minus_in_equation),
)  # fmt: skip
