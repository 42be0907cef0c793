"""Cutting whole texts as the original does."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosyvoice.frontend.characters import is_silent
from cosyvoice.frontend.chinese import clean_chinese, close_chinese
from cosyvoice.frontend.english_numbers import spell_digits
from cosyvoice.frontend.language import Language
from cosyvoice.parity.split import split_paragraph
from tests.paths import GOLDEN_DIR

GOLDEN = json.loads((GOLDEN_DIR / "text_split.json").read_text(encoding="utf-8"))
CASES = [case for case in GOLDEN["cases"] if "split" in case]


def words(text: str) -> int:
    """The golden cases' length of English."""
    return len(re.findall(r"\w+|[^\w\s]", text))


@pytest.mark.parametrize("case", [case for case in CASES if case["lang"] == "en"], ids=lambda case: case["in"][:12])
def test_golden_english(case: dict[str, Any]) -> None:
    """Digits are spelled and the text is cut as by the original."""
    spelled = spell_digits(case["in"].strip())
    assert spelled == case["spelled"]
    assert split_paragraph(spelled, "en", words) == case["split"]


@pytest.mark.parametrize("case", [case for case in CASES if case["lang"] == "zh"], ids=lambda case: case["in"][:12])
def test_golden_chinese(case: dict[str, Any]) -> None:
    """Mandarin is cleaned up and cut as by the original."""
    cleaned = close_chinese(clean_chinese(case["in"].strip()))
    assert cleaned == case["clean"]
    assert split_paragraph(cleaned, "zh", len) == case["split"]


def test_golden_only_punctuation() -> None:
    """The same utterances count as silent."""
    expected = next(case for case in GOLDEN["cases"] if "is_only_punctuation" in case)["is_only_punctuation"]
    assert {text: is_silent(text) for text in expected} == expected


@pytest.mark.parametrize("text", ["", "...", "!?", '."', "。”", '"'])
def test_silent_texts_give_nothing(text: str) -> None:
    """A text that speaks to nothing has no utterances (some of these crash the original)."""
    assert split_paragraph(text, "zh", len) == []
    assert split_paragraph(text, "en", words) == []


@pytest.mark.parametrize("language", ["en", "zh"])
@given(st.text(alphabet='ab 。.?!；"”x', max_size=300))
def test_utterances_keep_the_text(language: Language, text: str) -> None:
    """Every letter is in one utterance, in order."""
    utterances = split_paragraph(text, language, len)
    assert re.sub(r"\W", "", "".join(utterances)) == re.sub(r"\W", "", text)
