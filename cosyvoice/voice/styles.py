"""Styles of speaking: which of a checkpoint's styles an instruction means."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from cosyvoice.serving_config import StyleConfig

_APOSTROPHES = re.compile("['’]")
# For matching, a Chinese character is a word.
_WORD = re.compile("[\u4e00-\u9fff]|[^\\W_\u4e00-\u9fff]+")
_DENIALS = frozenset(("no", "not", "dont", "never", "without", "less", "不", "别", "勿", "莫"))
# Words that may be between a denial and what it denies.
_FILLERS = frozenset(
    ("too", "so", "that", "very", "be", "sound", "speak", "talk", "say", "it", "to", "in", "a", *"太那这么要用说得会讲")
)


def style_of(instruction: str, styles: Sequence[StyleConfig]) -> StyleConfig | None:
    """The style that an instruction names; the first one if it names several, None if it names none.

    The phrases of a style are searched as whole words (Chinese: characters). Case and punctuation make no difference. A
    phrase inside a longer phrase does not count (快 in 快乐). A denied phrase means the opposite of its style.
    """
    said = _words(instruction)
    found = [
        (start, start + len(phrase), style)
        for style in styles
        for phrase in map(_words, style.phrases)
        for start in range(len(said) - len(phrase) + 1)
        if said[start : start + len(phrase)] == phrase
    ]
    outermost = [
        (start, end, style)
        for start, end, style in found
        if not any(a <= start and end <= b and b - a > end - start for a, b, _ in found)
    ]
    for start, _, style in sorted(outermost, key=lambda one: one[0]):
        if not _is_denied(said[:start]):
            return style
        if style.opposite:
            return next(other for other in styles if other.name == style.opposite)
    return None


def _is_denied(before: Sequence[str]) -> bool:
    last = next((word for word in reversed(before) if word not in _FILLERS), "")
    return last in _DENIALS


def _words(text: str) -> list[str]:
    return _WORD.findall(_APOSTROPHES.sub("", unicodedata.normalize("NFKC", text).casefold()))
