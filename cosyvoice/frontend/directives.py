"""What a text asks for besides words: silences, the ends of sentences, the rate and the language of a span. Pure.

`Directives` takes the text in pieces of any size and finds `<break>`, `[pause]`, `<p>`, `<s>`, `<prosody>` and `<lang>`
in it. All other text passes unchanged. What may still become one of these is held back: at most `LONGEST_TAG`
characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from cosyvoice.config import MAX_SPEED, MIN_SPEED

MOST_SILENCE_MS = 10_000  # of one tag
LONGEST_TAG = 120
_STRENGTHS_MS = {"none": 0, "x-weak": 100, "weak": 250, "medium": 400, "strong": 700, "x-strong": 1000}
_USUAL_MS = _STRENGTHS_MS["medium"]
_PARAGRAPH_MS = _STRENGTHS_MS["medium"]

_RATES = {"x-slow": 0.6, "slow": 0.8, "medium": 1.0, "default": 1.0, "fast": 1.25, "x-fast": 1.5}

# Of the tags that are obeyed.
TAGS = ("break", "p", "s", "prosody", "lang")
_ATTRIBUTES = r"(?:[ \t/][^<>\n]{0,100})?"
_TAG = re.compile(
    rf"<(?P<end>/?)(?P<name>{'|'.join(TAGS)})(?P<attributes>{_ATTRIBUTES})>"
    r"|\[pause(?:[ =:]\s?(?P<pause>[\d.]{1,8}\s?m?s))?\]",
    re.IGNORECASE,
)
# The beginning of a tag; whether its name fits is looked at separately.
_OPEN = re.compile(rf"<(?P<end>/?)(?P<name>[a-z]*)(?P<attributes>{_ATTRIBUTES})$", re.IGNORECASE)
_OPEN_PAUSE = re.compile(r"\[pause(?:[ =:]\s?[\d.]{0,8}\s?m?s?)?$", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"([\w:]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'/]+))")
_RATE = re.compile(r"([+-]?)(\d{1,4}(?:\.\d{0,4})?|\.\d{1,4})(%?)")
_LENGTH = re.compile(r"\+?(\d{1,6}(?:\.\d{0,6})?|\.\d{1,6})\s?(ms|s)", re.IGNORECASE)


@dataclass(frozen=True)
class Directive:
    """A tag that says how to speak what is around it."""

    # As it was written.
    tag: str
    # The text before it ends a sentence; else a clause.
    ends_sentence: bool = False
    # Silence at its place.
    silence_ms: int = 0
    # The silence is only between what is spoken, not at the start of the text.
    between: bool = False
    # Whether a span begins or ends here: the text from its tag to its closing tag.
    span: Literal["", "begins", "ends"] = ""
    # Of the span's tag.
    name: str = ""
    # How fast the span is spoken, as a factor. None: as the text around it.
    rate: float | None = None
    # The language of the span, as it was written. Empty: as around it.
    language: str = ""
    # What of it is not done, and why. Empty: all of it is.
    warning: str = ""


class Directives:
    """The tags of one text."""

    def __init__(self) -> None:
        self._held = ""

    @property
    def held(self) -> int:
        """Characters that are held back."""
        return len(self._held)

    def feed(self, text: str) -> list[str | Directive]:
        """The text and tags that are certain now, in order."""
        if not self._held and "<" not in text and "[" not in text:
            return [text]
        text, self._held = self._held + text, ""
        at = _open_tag(text)
        if at is not None:
            text, self._held = text[:at], text[at:]
        return list(_parts(text))

    def flush(self) -> str:
        """The text that was held back: no more comes to complete a tag."""
        held, self._held = self._held, ""
        return held


def _parts(text: str) -> Iterator[str | Directive]:
    at = 0
    for match in _TAG.finditer(text):
        directive = _directive(match)
        if directive is not None:
            if at < match.start():
                yield text[at : match.start()]
            yield directive
            at = match.end()
    if at < len(text):
        yield text[at:]


def _directive(match: re.Match[str]) -> Directive | None:
    """None for a tag that asks for nothing: it stays in the text, where it has no effect."""
    name = (match["name"] or "").lower()
    if name == "s":
        return Directive(match[0], ends_sentence=True)
    if name == "p":
        between = not match["end"]  # a paragraph that ends the text has no pause after it
        return Directive(match[0], True, _PARAGRAPH_MS if between else 0, between)
    if name in ("prosody", "lang"):
        return _span(match, name)
    if match["end"]:
        return None
    silence_ms, warning = _pause(match["pause"]) if not name else _break(_attributes(match))
    return Directive(match[0], silence_ms=silence_ms, warning=warning) if silence_ms or warning else None


def _pause(length: str | None) -> tuple[int, str]:
    """The silence of `[pause ...]`, and what is to be said of it."""
    return (_USUAL_MS, "") if length is None else _length(length)


def _attributes(match: re.Match[str]) -> dict[str, str]:
    found = _ATTRIBUTE.findall(match["attributes"])
    return {name.lower(): (double or single or bare).strip().lower() for name, double, single, bare in found}


def _break(found: dict[str, str]) -> tuple[int, str]:
    if "time" in found:
        return _length(found["time"])
    strength = found.get("strength", "medium")
    if strength not in _STRENGTHS_MS:
        known = ", ".join(_STRENGTHS_MS)
        return _USUAL_MS, f"strength: expected one of {known}, found {strength[:20]}: {_USUAL_MS} ms of silence instead"
    return _STRENGTHS_MS[strength], ""


def _span(match: re.Match[str], name: str) -> Directive | None:
    if match["end"]:
        return Directive(match[0], span="ends", name=name)
    if match["attributes"].endswith("/"):
        return None  # nothing is in it
    found = _attributes(match)
    if name == "lang":
        return Directive(match[0], span="begins", name=name, language=found.get("xml:lang", found.get("lang", "")))
    rate, warnings = _rate(found["rate"]) if "rate" in found else (None, [])
    if other := [attribute for attribute in found if attribute != "rate"]:
        warnings.append(f"expected rate alone, found {', '.join(other)[:60]}: only the rate is heeded")
    return Directive(match[0], span="begins", name=name, rate=rate, warning="; ".join(warnings))


def _rate(text: str) -> tuple[float | None, list[str]]:
    """The factor of a name (slow), a number (1.2), a percentage (80%) or a change (+20%)."""
    if text in _RATES:
        return _RATES[text], []
    match = _RATE.fullmatch(text)
    if match is None:
        known = ", ".join(_RATES)
        return None, [f"rate: expected a number, a percentage or one of {known}, found {text[:20]}: it is not heeded"]
    number = float(match[2]) / (100 if match[3] else 1)
    rate = 1 + number * (-1 if match[1] == "-" else 1) if match[1] and match[3] else number
    bounded = min(max(rate, MIN_SPEED), MAX_SPEED)
    if bounded != rate:
        return bounded, [f"rate: expected {MIN_SPEED} to {MAX_SPEED}, found {text[:20]}"]
    return rate, []


def _length(text: str) -> tuple[int, str]:
    match = _LENGTH.fullmatch(text.strip())
    if match is None:
        what = f"expected a length such as 500ms or 1.2s, found {text[:20]}"
        return _USUAL_MS, f"{what}: {_USUAL_MS} ms of silence instead"
    silence_ms = round(float(match[1]) * (1 if match[2].lower() == "ms" else 1000))
    if silence_ms > MOST_SILENCE_MS:
        return MOST_SILENCE_MS, f"expected at most {MOST_SILENCE_MS / 1000:g} s of silence, found {text.strip()}"
    return silence_ms, ""


def _open_tag(text: str) -> int | None:
    """Where a tag begins that is not complete yet. None: there is none."""
    at = text.rfind("<")
    match = _OPEN.match(text, at) if at >= 0 else None
    if match is not None:
        name = match["name"].lower()
        if name in TAGS if match["attributes"] else any(known.startswith(name) for known in TAGS):
            return at
    at = text.rfind("[")
    rest = text[at:].lower() if at >= 0 else " "
    return at if "[pause".startswith(rest) or _OPEN_PAUSE.match(rest) else None
