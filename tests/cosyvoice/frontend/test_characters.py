"""Which characters of user text are spoken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosyvoice.frontend.characters import clean, is_silent


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, world!", "Hello, world!"),
        ("  a\t\tb\r\nc \u3000d\u00a0", "a b c d"),  # whitespace of any kind is one space
        ("a\x00b\x07c\x1bd", "a b c d"),  # NUL and control characters
        ("hel\u200blo wor\u00adld\ufeff", "hello world"),  # zero-width and format characters split no word
        ("a\ud83db\udc00", "ab"),  # lone surrogates
        ("a\ue000b\u0378c\U0010ffffd", "abcd"),  # private use, unassigned
        ("I❤️you 👍🏽👨‍👩‍👧!", "I you !"),  # emoji, with their joiners and skin tones
        ("1️⃣ 好🇨🇳", "1 好"),
        ("ＡＢＣ１２３，！", "ABC123，！"),  # full-width letters and digits, not punctuation
        ("①②⑩ ﬁne 𝐛𝐨𝐥𝐝", "1210 fine bold"),
        ("cafe\u0301", "café"),
        ("20°C 25℃ №5", "20°C 25℃ №5"),
        ("½ cup, 1½", "1/2 cup, 1 1/2"),
        ("# Title", "Title"),
        ("- **bold** and *italic* and `code`", "bold and italic and code"),
        ("2*3 2**3 2 * 3", "2*3 2**3 2 * 3"),
        ("-5 degrees, #1, snake_case, __init__", "-5 degrees, #1, snake_case, init"),
        ("", ""),
        ("🙂\u200b\x00", ""),
    ],
)
def test_clean(text: str, expected: str) -> None:
    """Characters without a reading go, styled ones become plain, whitespace collapses."""
    assert clean(text) == expected


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=60))
def test_clean_text_is_encodable(text: str) -> None:
    """Any string, lone surrogates included, becomes one line of valid characters."""
    cleaned = clean(text)
    assert cleaned.encode("utf-8").decode() == cleaned
    assert " ".join(cleaned.split()) == cleaned
    assert cleaned.isprintable() or not cleaned.isascii()


@pytest.mark.parametrize(
    ("text", "silent"), [("... !", True), ("♥ $%", True), ("", True), ("a.", False), ("１", False)]
)
def test_is_silent(text: str, silent: bool) -> None:
    """Punctuation, symbols and spaces alone are silent."""
    assert is_silent(text) is silent
