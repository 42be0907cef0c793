"""What the bench of sound has spoken: voices, texts, modes, speeds and seeds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TEXTS = Path(__file__).parents[2] / "texts"
GROUPS = ("short", "sentences", "speeds", "replies", "modes", "long")
VOICES = {"en": ("英文女", "英文男"), "zh": ("中文女", "中文男")}
# Texts that are known to end badly: a sigh, an open end, a colon.
_HARD_SHORT = {"en": ("Hm.", "Well...", "I changed the setting:"), "zh": ("嗯……", "我改了设置：", "嗯。", "好")}
_STYLES = {"en": "Speak slowly and softly.", "zh": "请快一点说。"}
_MODES = ("sft", "zero_shot", "cross_lingual", "instruct", "vc")
_MODE_SEEDS = 4
_SENTENCES = 8  # in each voice
_SPEEDS = (0.5, 0.8, 1.25, 1.5, 2.0)
_LONG_CHARACTERS = {"en": 3500, "zh": 1000}  # about three minutes


@dataclass(frozen=True)
class Case:
    """One utterance."""

    # The part of the bench that it belongs to.
    group: str
    name: str
    voice: str
    language: str
    text: str
    seed: int = 0
    mode: str = "sft"
    speed: float = 1.0
    instruction: str = ""
    # Whether the text comes word by word.
    words: bool = False


def cases(short_seeds: int) -> Iterator[Case]:
    """All cases. Each short text is spoken with so many seeds."""
    yield from _short(short_seeds)
    yield from _replies()
    yield from _sentences()
    for speed in _SPEEDS:
        yield from _sentences("speeds", speed)
    yield from _modes()
    yield from _long()


def _short(seeds: int) -> Iterator[Case]:
    for seed in range(seeds):
        for language, voices in VOICES.items():
            for voice in voices:
                for number, text in enumerate([*_HARD_SHORT[language], *_lines(language, "short")]):
                    words = seed % 4 == 3
                    name = f"short-{voice}-{number:02}-{seed}"
                    yield Case("short", name, voice, language, text, seed, words=words)


def _replies() -> Iterator[Case]:
    for language, voices in VOICES.items():
        for voice in voices:
            for number, text in enumerate(_lines(language, "replies")):
                words = number % 2 == 1
                yield Case("replies", f"replies-{voice}-{number:02}", voice, language, text, number, words=words)


def _sentences(group: str = "sentences", speed: float = 1.0) -> Iterator[Case]:
    """At each speed the same sentences with the same seeds, so that their loudness can be compared."""
    for language, voices in VOICES.items():
        for voice in voices:
            for number, text in enumerate(_lines(language)[:_SENTENCES]):
                name = f"sentences-{voice}-{number:02}" + (f"-speed-{speed}" if speed != 1.0 else "")
                yield Case(group, name, voice, language, text, number, speed=speed)


def _modes() -> Iterator[Case]:
    for language, voices in VOICES.items():
        for voice in voices:
            text = _lines(language)[9]
            for mode in _MODES:
                instruction = _STYLES[language] if mode == "instruct" else ""
                for seed in range(_MODE_SEEDS):
                    name = f"modes-{voice}-{mode}-{seed}"
                    yield Case("modes", name, voice, language, text, seed, mode, instruction=instruction)


def _long() -> Iterator[Case]:
    for language, voices in VOICES.items():
        for voice in voices:
            text, lines = "", _lines(language, "replies") + _lines(language)
            for line in lines:
                if len(text) < _LONG_CHARACTERS[language]:
                    text += line if language == "zh" else f"{line} "
            yield Case("long", f"long-{voice}", voice, language, text)


def _lines(language: str, kind: str = "") -> list[str]:
    name = {"en": "english", "zh": "mandarin"}[language] + (f"_{kind}" if kind else "")
    return [line for line in (TEXTS / f"{name}.txt").read_text(encoding="utf-8").splitlines() if line.strip()]
