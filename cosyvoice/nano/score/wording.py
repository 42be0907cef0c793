"""Texts letter by letter, as they are spoken: however numbers are written, and in both languages at once."""

from __future__ import annotations

import re
from functools import cache

from cosyvoice.frontend.characters import clean
from cosyvoice.frontend.language import language_runs, main_language
from cosyvoice.frontend.normalize import Normalizer
from cosyvoice.nano.score.listener import Score

_LETTERS = re.compile(r"[a-z\u4e00-\u9fff]")


def compare_letters(expected: str, heard: str) -> Score:
    """Edits of letters and Han characters; a listener may write `$5` or `five dollars`, `Wi-Fi` or `wifi`."""
    import jiwer

    reference, hypothesis = letters(expected), letters(heard)
    result = jiwer.process_characters(reference, hypothesis or "_")
    edits = result.substitutions + result.deletions + result.insertions
    return Score(reference, hypothesis, edits, len(reference))


def letters(text: str) -> str:
    """The letters and Han characters of a text in words, without anything between them."""
    simplified = _normalizer().simplified(clean(text))
    runs = language_runs(simplified, main_language(simplified, "en"))
    spoken = "".join(_normalizer().normalize(run, language) for language, run in runs)
    return "".join(_LETTERS.findall(spoken.lower()))


@cache
def _normalizer() -> Normalizer:
    return Normalizer()
