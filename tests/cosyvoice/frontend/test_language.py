"""Which language a text is in."""

import pytest

from cosyvoice.frontend.language import Language, is_cjk, language_runs, main_language


@pytest.mark.parametrize(
    ("text", "otherwise", "expected"),
    [
        ("Hello there", "zh", "en"),
        ("你好", "en", "zh"),
        ("打开 Wi-Fi 然后重启", "en", "zh"),
        ("我用 iPhone 15 Pro 拍照", "en", "zh"),
        ("I paid 250 dollars for 饺子 today", "zh", "en"),
        ("12:30，", "en", "zh"),  # full-width punctuation
        ("12:30,", "en", "en"),
        ("12:30,", "zh", "zh"),
        ("", "zh", "zh"),
    ],
)
def test_main_language(text: str, otherwise: Language, expected: Language) -> None:
    """Han characters against Latin words; then punctuation; then the language before."""
    assert main_language(text, otherwise) == expected


def test_mandarin_is_one_run() -> None:
    """A mainly Mandarin text, its Latin names and numbers included, is normalised as Mandarin."""
    text = "我用 iPhone 15 Pro 拍照"
    assert language_runs(text, "zh") == [("zh", text)]


def test_han_stretches_in_english() -> None:
    """In English text, Han characters and the numbers that touch them are Mandarin; other numbers are English."""
    text = "Room 5 is in 3号楼, and 250 dollars for 饺子。 Ok"
    runs = language_runs(text, "en")
    assert runs == [
        ("en", "Room 5 is in "),
        ("zh", "3号楼"),
        ("en", ", and 250 dollars for "),
        ("zh", "饺子。"),
        ("en", " Ok"),
    ]
    assert "".join(run for _, run in runs) == text


def test_empty_text_has_no_runs() -> None:
    """Nothing to read gives no runs."""
    assert language_runs("", "en") == []


def test_is_cjk() -> None:
    """Han characters and full-width punctuation are written without spaces."""
    assert all(map(is_cjk, "中〇，。！《"))
    assert not any(map(is_cjk, "a1,.“é"))
