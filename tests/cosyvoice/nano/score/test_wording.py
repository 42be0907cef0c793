"""Letters of texts: the same however numbers, hyphens and scripts are written."""

from __future__ import annotations

import pytest

from cosyvoice.nano.score.wording import compare_letters, letters

pytest.importorskip("jiwer")


@pytest.mark.parametrize(
    ("expected", "heard"),
    [
        ("It is $12.50.", "It is 12 dollars and 50 cents."),
        ("It is $12.50.", "It is twelve dollars and fifty cents!"),
        ("打开Wi-Fi，然后重启。", "打開 wifi 然後重啟"),
        ("一共是1280元。", "一共是一千二百八十元"),
        ("She said 谢谢 twice.", "She said 謝謝 twice"),
    ],
)
def test_what_sounds_the_same_has_the_same_letters(expected: str, heard: str) -> None:
    """Numbers are compared in words, characters simplified."""
    assert letters(expected) == letters(heard)
    assert compare_letters(expected, heard).edits == 0


def test_edits_are_counted_of_both_scripts() -> None:
    """A wrong letter and a wrong character; silence is all wrong."""
    score = compare_letters("打开Wi-Fi。", "打看wife")
    assert (score.edits, score.units) == (2, 6)
    assert compare_letters("Yes.", "").edits == 3
