"""Subtitles of a film that does not exist: two people who speak English and Mandarin. Pure but for the texts' files."""

from __future__ import annotations

import random
from pathlib import Path

_TEXTS = Path(__file__).parents[1] / "texts"
# Who speaks; a map of voices gives each a voice.
SPEAKERS = ("Anna", "Tom")
VOICE_MAP = '[speakers]\nAnna = "female"\nTom = "male"\n'
# Characters of each language that are spoken in a second, about.
_CHARACTERS_A_SECOND = {"english": 15.0, "mandarin": 5.5}
_FIRST_S = 2.0
# Shares of the cues: with far too little time; that begin before the one before them is over; without speech.
_TIGHT, _OVERLAPPING, _SILENT = 0.06, 0.04, 0.03


def film(cues: int, seed: int = 0) -> str:
    """SubRip with what real files have: two lines, tags, positions, missing numbers, descriptions of sounds. A slot is
    .85 to 1.4 of the time that its text needs, as subtitles are cut; a few are much too short."""
    chance = random.Random(seed)
    texts = {language: _shuffled(language, chance) for language in _CHARACTERS_A_SECOND}
    end_s, blocks = _FIRST_S, []
    for number in range(1, cues + 1):
        language = chance.choice(list(texts))
        text = texts[language][number % len(texts[language])]
        needed_s = 0.25 + len(text) / _CHARACTERS_A_SECOND[language]
        tight = chance.random() < _TIGHT
        slot_s = needed_s * (chance.uniform(0.4, 0.6) if tight else chance.uniform(0.85, 1.4))
        gap_s = -0.4 * slot_s if chance.random() < _OVERLAPPING else chance.choice((0.0, 0.04, 0.2, 0.5, 1.0, 2.5))
        start_s = max(_FIRST_S, end_s + gap_s)
        end_s = start_s + slot_s
        shown = _dressed(f"{chance.choice(SPEAKERS)}: {text}", chance)
        if chance.random() < _SILENT:
            shown = "[a door closes]"
        head = "" if number % 40 == 0 else f"{number}\r\n"
        blocks.append(f"{head}{_time(start_s)} --> {_time(end_s)}\r\n{shown}\r\n")
    return "\ufeff" + "\r\n".join(blocks)


def _shuffled(language: str, chance: random.Random) -> list[str]:
    lines = [line for line in (_TEXTS / f"{language}.txt").read_text("utf-8").splitlines() if line]
    return chance.sample(lines, len(lines))


def _dressed(text: str, chance: random.Random) -> str:
    """The text in one or two lines, sometimes with a tag or a position."""
    words = text.split(" ")
    if len(words) > 7:
        half = len(words) // 2
        text = " ".join(words[:half]) + "\r\n" + " ".join(words[half:])
    return chance.choice(("{}", "{}", "{}", "<i>{}</i>", "{{\\an8}}{}")).format(text)


def _time(seconds: float) -> str:
    ms = round(seconds * 1000)
    return f"{ms // 3600000:02}:{ms // 60000 % 60:02}:{ms // 1000 % 60:02},{ms % 1000:03}"
