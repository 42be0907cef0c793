"""The languages that released checkpoints speak beside Mandarin and English."""

from __future__ import annotations

import pytest

from cosyvoice.frontend.guess import language_among
from cosyvoice.frontend.language import LANGUAGES, Language
from cosyvoice.frontend.reader import Reader
from cosyvoice.frontend.text_stream import Piece
from cosyvoice.frontend.tokenizer import Tokenizer
from tests.cosyvoice.frontend.cases_by_language import CASES


@pytest.mark.parametrize(
    ("language", "text", "heard"), [(language, *case) for language, cases in CASES.items() for case in cases]
)
def test_numbers_are_read_in_the_language_of_the_text(
    bpe_reader: Reader, language: Language, text: str, heard: str
) -> None:
    """Found from the text alone, or given."""
    found = bpe_reader(Piece(text))
    assert (found.language, found.text, found.unspoken) == (language, heard, ())
    assert bpe_reader(Piece(text, language=language)).text == heard


@pytest.mark.parametrize(
    "text",
    [
        "The café is on 5 Main Street.",
        "I like pizza, spaghetti and sauerkraut.",
        "Die Hard is a film.",
        "My name is José and I am 20.",
        "OK.",
        "Come on, a la carte for 2.",
    ],
)
def test_english_stays_english(bpe_reader: Reader, text: str) -> None:
    """Foreign names and words do not change it, nor does any text of the tables of English cases."""
    assert bpe_reader(Piece(text)).language == "en"


def test_text_that_does_not_tell_is_in_the_language_before() -> None:
    """A number, or a name in a text of another language."""
    among = frozenset(LANGUAGES)
    assert language_among("Berlin 5", "de", among) == "de"
    assert language_among("5", "ru", among) == "ru"
    assert language_among("東京", "ja", among) == "ja"
    assert language_among("东京", "en", among) == "zh"
    assert language_among("Hello, how are you?", "de", among) == "en"


def test_scripts_of_no_language_of_the_checkpoint_are_left_out(byte_tokenizer: Tokenizer) -> None:
    """They are told, and all else is spoken."""
    reading = Reader(byte_tokenizer, languages=["en", "de"])(Piece("Größe да über 안녕 5."))
    assert reading.text == "Größe über fünf."
    assert [place.text for place in reading.unspoken] == ["да", "안녕"]
