"""What a listener hears of a slow writer: real reader and loop, in simulated time."""

from __future__ import annotations

import re
from functools import cache

import pytest

from cosyvoice.config import ModelConfig
from cosyvoice.frontend.language import Language
from cosyvoice.models import NANO
from rtserver.reader.text_front import TextFront
from tests.rtserver.engine.acoustic.writers import WritingWorld

SENTENCES: dict[Language, tuple[str, ...]] = {
    "en": (
        "Your table for four is ready by the window.",
        "The last bus to the airport leaves at half past nine.",
        "I checked twice, and the answer is still the same.",
        "A light breeze came up from the river before sunset.",
        "The doctor will call you back within an hour.",
    ),
    "zh": (
        "早上好，请问您需要什么帮助？",
        "我们的办公室在七楼，电梯就在右边。",
        "昨天晚上下了很大的雨，路上有点滑。",
        "他把钥匙忘在家里了。",
        "您的快递已经送到门口了。",
    ),
}
# A word with the space after it, or a character with the marks after it, of which Mandarin has 1.5 for an English word.
_PIECE = {"en": re.compile(r"\S+\s*"), "zh": re.compile(r"\w\W*")}
_PIECES_A_WORD = {"en": 1.0, "zh": 1.5}


@cache
def text_front() -> TextFront:
    return TextFront(ModelConfig.load(NANO))


def heard(language: Language, words_per_s: float) -> list[tuple[float, float]]:
    """The first sound and the longest stall of each sentence, in seconds."""
    every_s = 1 / words_per_s / _PIECES_A_WORD[language]
    return [
        WritingWorld(text_front().stream(language, words=True), _PIECE[language].findall(text), every_s).heard()
        for text in SENTENCES[language]
    ]


@pytest.mark.parametrize("language", SENTENCES)
def test_five_words_a_second_are_heard_without_a_stall(language: Language) -> None:
    """Nor much later than with a quick start and a stall after it (1.0 and 1.3 s)."""
    for first_s, stall_s in heard(language, 5):
        assert first_s <= 1.5 and stall_s <= 0.15


@pytest.mark.parametrize("language", SENTENCES)
def test_three_words_a_second_begin_in_time(language: Language) -> None:
    """They are as slow as speech. So a sentence is spoken in parts, with stalls that are hardly noticed."""
    for first_s, stall_s in heard(language, 3):
        assert first_s <= 1.5 and stall_s <= 0.35


@pytest.mark.parametrize("language", SENTENCES)
def test_a_quick_writer_waits_for_nothing(language: Language) -> None:
    """The first sound comes as soon as its words are there."""
    for first_s, stall_s in heard(language, 15):
        assert first_s <= 0.75 and stall_s == 0
