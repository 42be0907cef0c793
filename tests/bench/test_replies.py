"""What talkers say."""

from __future__ import annotations

import random

import pytest

from bench.load.calls.replies import FILES, draw_reply, expected_s
from bench.load.turn import texts


@pytest.mark.parametrize("language", ["en", "zh"])
def test_replies_are_short_and_long(language: str) -> None:
    """Among many replies are one-word answers and long ones, all of the shipped texts."""
    chance = random.Random(1)
    replies = [draw_reply(chance, language) for _ in range(300)]
    lengths = [expected_s(reply) for reply in replies]
    assert min(lengths) < 1.0 and max(lengths) > 7.0 and 2.0 < sum(lengths) / len(lengths) < 6.0
    shipped = {line for name in ("", "_short", "_replies") for line in texts(f"{FILES[language]}{name}")}
    assert sum(reply in shipped for reply in replies) > 200  # the others are two sentences
    assert len(set(replies)) > 50


def test_a_language_is_spoken_in_its_own_script() -> None:
    """No reply mixes the two."""
    chance = random.Random(2)
    assert all(draw_reply(chance, "en").isascii() for _ in range(100))
    assert not any(ch.isascii() and ch.isalpha() for _ in range(100) for ch in draw_reply(chance, "zh"))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_long_replies_have_three_to_five_sentences(language: str) -> None:
    """Each line of the file."""
    for line in texts(f"{FILES[language]}_replies"):
        assert 3 <= sum(line.count(mark) for mark in ".?。？") <= 5, line


def test_a_han_character_sounds_longer_than_a_letter() -> None:
    """Expected seconds grow with the text, by script."""
    assert expected_s("好的好的") - expected_s("好的") == pytest.approx(2 * 0.21)
    assert expected_s("abcd") - expected_s("ab") == pytest.approx(2 * 0.052)
