"""A clause without its writing marks: HTML tags and entities, Markdown, BBCode and LaTeX. Pure.

`ATOM` finds the stretches of a text that must arrive whole, so that no cut falls inside them.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from cosyvoice.frontend.special_tokens import MARKUP
from cosyvoice.frontend.speech_tags import ELEMENT, OPEN_ELEMENT, is_known, spoken_elements

LONGEST_ATOM = 160  # characters held back until a tag, a link or a formula is complete
_TAG_BODY = rf"[A-Za-z!][^<>\n]{{0,{LONGEST_ATOM}}}"
_TAG = rf"</?{_TAG_BODY}>"
_LINK = r"!?\[[^\[\]\n]{0,80}\]\([^()\s]{0,160}(?:\([^()\s]{0,40}\)[^()\s]{0,40})?(?:\s\"[^\"\n]{0,60}\")?\)"
_FORMULA_START = r"(?:[A-Za-z\\({]|\d{1,4}[xyzn\\^_])"  # $5 is money
_MATH = (
    rf"\${_FORMULA_START}[^$\n]{{0,160}}(?<!\s)\$|" r"\\\([^\n]{1,160}?\\\)|\\\[[^\n]{1,160}?\\\]|\$\$[^$\n]{1,160}\$\$"
)
ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,24}\d{0,2});")
ATOM = re.compile(f"{ELEMENT}|{_TAG}|{_LINK}|{_MATH}|{ENTITY.pattern}")
# An atom that has begun and may still become complete.
_OPEN = re.compile(
    rf"{OPEN_ELEMENT}|<(?:/?(?:{_TAG_BODY})?)?$|!?\[[^\[\]\n]{{0,80}}(?:\](?:\([^()\n]{{0,240}}(?:\([^()\n]{{0,40}}"
    rf"(?:\)[^()\n]{{0,110}})?)?)?)?$|\$\$[^$\n]{{0,160}}\$?$"
    rf"|\$(?:{_FORMULA_START}[^$\n]{{0,160}})?$|\\(?:[(\[][^\n]{{0,162}})?$|&[#\w]{{0,26}}$"
)

_PAUSES = re.compile(
    r"<(?:/(?:div|li|ul|ol|h[1-6]|tr|table|td|th|section|article|blockquote|speak)"
    r"|(?:br|hr|li|tr)\b[^<>]*)/?>",
    re.IGNORECASE,
)
_BREADCRUMB = re.compile(r"\s+[»›]\s+")  # Home » Products; else they are quotation marks
_MORE = re.compile(r"\s*(?:›|(?<![<>])>{2,3})\s*$|\s+»\s*$")  # Read more >>
_COMMENT = re.compile(r"<!--.{0,400}?-->", re.DOTALL)
_SUBTITLE = re.compile(r"\{\\[a-zA-Z][^{}\n]{0,80}\}|[\d:,.]{8,12} --> [\d:,.]{8,12}")  # of SRT and ASS files
TAG = re.compile(_TAG)
_BBCODE = re.compile(r"\[(b|i|u|s|em|strong|quote|code|url|size|color)(?:=[^\[\]]{0,80})?\](.*?)\[/\1\]", re.IGNORECASE)
LINK = re.compile(_LINK.replace(r"!?\[[^\[\]\n]{0,80}\]", r"!?\[([^\[\]\n]{0,80})\]", 1))
_REFERENCE = re.compile(r"\[\^\w{1,10}\]|(?<=\w\w)\[[1-9]\d{0,2}\](?![(`])")
_AUTO_LINK = re.compile(r"<((?:https?://|mailto:)[^<>\s]+|[^<>\s@]+@[^<>\s@]+)>")
_FENCE = re.compile(r"^\s*(?:```|~~~)\w*\s*$")
_TABLE_RULE = re.compile(r"^\s*\|?(?:\s*:?-{2,}:?\s*\|)+\s*(?::?-{2,}:?)?\s*$|^\s*(?:[-*_=]\s*){3,}$")
_EQUALS = re.compile(r"`(={2,3})`")  # code, not Markdown's mark
_ABSOLUTE = re.compile(r"(?<![\w|])\|(-?[\w.]{1,6})\|(?=\s*[=<>≤≥≠+−-])")  # |a| = 3
_CELLS = re.compile(r"(?:^\s*\|\s*)|(?:\s*\|\s*$)")
_MARKS = re.compile(r"(?<!\w)={2,}(?=\S)|(?<=\S)==(?!\w)|~~|\|\||(?<!\w)_(?=\w)|(?<=\w)_(?!\w)")
_LINE_MARK = re.compile(r"^\s*(?:#{1,6}\s+|[-*+•]\s+(?:\[[ xX]\]\s+)?|>\s*(?=\S)|>\s+)+")
_NOT_MARKDOWN = re.compile(r"^\s*[-+]\s+\d")

_MATH_COMMANDS = {
    "leq": "≤", "le": "≤", "geq": "≥", "ge": "≥", "neq": "≠", "ne": "≠", "approx": "≈", "times": "×", "cdot": "×",
    "div": "÷", "pm": "±", "to": "→", "rightarrow": "→", "Rightarrow": "⇒", "infty": "∞", "in": "∈", "sum": "∑",
    "int": "∫", "prod": "∏", "partial": "∂", "cup": "∪", "cap": "∩", "pi": "π", "alpha": "α", "beta": "β",
    "gamma": "γ", "delta": "δ", "Delta": "Δ", "theta": "θ", "lambda": "λ", "mu": "μ", "sigma": "σ", "omega": "ω",
    "Omega": "Ω", "phi": "φ", "epsilon": "ε", "rho": "ρ", "tau": "τ", "circ": "°", "percent": "%", "ldots": "…",
    "forall": "∀", "exists": "∃", "lt": "<", "gt": ">", "equiv": "≡",
}  # fmt: skip
_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_ROOT = re.compile(r"\\sqrt\s*\{([^{}]*)\}")
_TEXT = re.compile(r"\\(?:text|mathrm|mathbf|mathit|mathbb|operatorname|textbf|emph)\s*\{([^{}]*)\}")
_COMMAND = re.compile(r"\\([A-Za-z]+)\s*")


def atoms(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of the stretches that are not cut."""
    return (match.span() for match in ATOM.finditer(text))


def open_atom(text: str) -> int | None:
    """Where a stretch begins that is not complete yet. None: there is none."""
    match = _OPEN.search(text)
    complete = list(atoms(text)) if match is not None else []
    while match is not None and any(start < match.start() < end for start, end in complete):
        match = _OPEN.search(text, match.start() + 1)
    return None if match is None else match.start()


def plain(text: str, dropped: list[str] | None = None) -> str:
    """`text` (a clause or a line) as its reader would say it without the marks; the model's own markup stays.

    dropped: gets the tags that are neither HTML nor SSML.
    """
    if not re.search(r"[<>&\[\]$\\|`~=_#*+•»›-]", text):
        return text
    if _FENCE.match(text) or _TABLE_RULE.match(text):
        return ""
    text = spoken_elements(_AUTO_LINK.sub(r"\1", _COMMENT.sub(" ", text)))
    text = _PAUSES.sub(", ", text)
    text = _EQUALS.sub(lambda signs: f" {' '.join(signs[1])} ", text)
    text = text if "$" in text else _SUBTITLE.sub("", text)  # {\\sin x} in a formula is none
    if dropped is not None:
        dropped += [tag for tag in TAG.findall(text) if not is_known(tag) and tag not in MARKUP]
    text = TAG.sub(lambda tag: tag[0] if tag[0] in MARKUP else "", text)
    text = html.unescape(text) if "&" in text else text
    text = text if "«" in text or "‹" in text else _BREADCRUMB.sub(", ", text)
    text = _MORE.sub("", text)
    text = LINK.sub(r"\1", text)
    text = _BBCODE.sub(r"\2", text)
    text = _REFERENCE.sub("", text)
    text = ATOM.sub(lambda atom: _math(atom[0]) if atom[0][0] in "$\\" else atom[0], text)
    text = text if _NOT_MARKDOWN.match(text) else _LINE_MARK.sub("", text)
    text = _ABSOLUTE.sub(r"∣\1∣", text)
    if "|" in text and "<|" not in text and "|>" not in text:
        row = text.strip().startswith("|") and text.strip().endswith("|")
        text = re.sub(r"\s*\|\s*" if row else r"\s+\|\s+", ", ", _CELLS.sub("", text))
    text = re.sub(r"(?<=\w)={2,3}(?=\w)", " = ", _MARKS.sub("", text))
    return re.sub(r"^[\s,]+|(?<=[,;:!?])\s*,(?=\s|$)|(?<=\.)\s+,(?=\s|$)", "", text)


def _math(formula: str) -> str:
    """A formula with plain signs: `\\frac{1}{2}` -> 1/2, `x_i^2` -> x i^2."""
    text = formula.strip("$").removeprefix("\\(").removesuffix("\\)").removeprefix("\\[").removesuffix("\\]")
    for _ in range(3):
        text = _FRACTION.sub(lambda m: f" {m[1].strip()}⁄{m[2].strip()} ", _TEXT.sub(r" \1 ", text))
        text = _ROOT.sub(r"√ \1 ", text)
    text = _COMMAND.sub(lambda m: f" {_MATH_COMMANDS.get(m[1], '' if m[1] in ('left', 'right') else m[1])} ", text)
    text = re.sub(r"_\{?(\w+)\}?", r" \1", text)
    text = re.sub(r"\^\{(\w+)\}", r"^\1", text)
    text = re.sub(r"(?<=[A-Za-z\d])\s*-\s*(?=[A-Za-z\d])", " − ", re.sub(r"\^\s*\{?\s*°", "°", text))
    text = re.sub(r"((?:^|[=(,+<>≤≥≈≠×⁄])\s*)-\s*", r"\1−", text)
    return " ".join(re.sub(r"[{}\\]", " ", text).split())
