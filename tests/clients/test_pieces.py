"""A text in pieces."""

import pytest

from rtclient.pieces import llm_pieces


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Two words.", ["Two ", "words."]),
        ("你好，世界。", ["你好，", "世界。"]),
        ("他说OK吧", ["他说", "OK", "吧"]),
        ("  a\n\nb ", ["  ", "a\n\n", "b "]),
        ("", []),
    ],
)
def test_a_piece_is_a_word_or_up_to_two_han_characters(text: str, pieces: list[str]) -> None:
    """Joined, the pieces are the text again."""
    assert list(llm_pieces(text)) == pieces
    assert "".join(pieces) == text
