"""The texts of a load: replies of different lengths from texts/, and their expected lengths in seconds."""

from __future__ import annotations

import functools
import random
import re

from bench.load.turn import texts

FILES = {"en": "english", "zh": "mandarin"}
# Of ten replies: "Yes.", one sentence, two sentences, three to five sentences.
LENGTHS = {"short": 3, "sentence": 3, "two": 2, "long": 2}
# How fast people and these voices speak. A guess is enough: the results say by how much it was wrong.
_SECONDS_PER_LETTER = 0.052
_SECONDS_PER_HAN = 0.21
_SECONDS_AROUND = 0.3
_HAN = re.compile("[\u4e00-\u9fff]")


def draw_reply(chance: random.Random, language: str) -> str:
    """Draws a reply in a language ("en" or "zh")."""
    length = chance.choices(list(LENGTHS), list(LENGTHS.values()))[0]
    if length == "short":
        return chance.choice(_lines(f"{FILES[language]}_short"))
    if length == "long":
        return chance.choice(_lines(f"{FILES[language]}_replies"))
    sentences = chance.sample(_lines(FILES[language]), 2 if length == "two" else 1)
    return (" " if language == "en" else "").join(sentences)


def expected_s(text: str) -> float:
    """About how long the sound of a text is."""
    han = len(_HAN.findall(text))
    return _SECONDS_AROUND + han * _SECONDS_PER_HAN + (len(text) - han) * _SECONDS_PER_LETTER


@functools.cache
def _lines(name: str) -> list[str]:
    return texts(name)
