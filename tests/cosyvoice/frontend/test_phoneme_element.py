"""SSML's `<phoneme>`."""

from __future__ import annotations

import random

import pytest

from cosyvoice.errors import TextError
from cosyvoice.frontend.phoneme_element import cmu_of_ipa, phoneme_elements
from cosyvoice.frontend.reader import Reader
from cosyvoice.frontend.text_stream import Piece
from tests.cosyvoice.frontend.test_text_stream import chunks, run, spell

CMU = '<phoneme alphabet="x-arpabet" ph="s iy1 k w ah0 l">SQL</phoneme>'


@pytest.mark.parametrize(
    ("ipa", "cmu"),
    [
        ("ˈsiːkwəl", "S IY1 K W AH0 L"),
        ("təˈmeɪtoʊ", "T AH0 M EY1 T OW0"),
        ("təˈmɑːtəʊ", "T AH0 M AA1 T OW0"),
        ("/tʃɪp/", "CH IH0 P"),
        ("ˌʌndəˈstænd", "AH2 N D AH0 S T AE1 N D"),
        ("ˈbɝd", "B ER1 D"),
    ],
)
def test_ipa_of_english_is_cmu(ipa: str, cmu: str) -> None:
    """Long vowels, diphthongs and affricates; a stress mark goes to the next vowel."""
    assert cmu_of_ipa(ipa) == cmu


@pytest.mark.parametrize(("ipa", "found"), [("yː", "'y'"), ("ʁa", "'ʁ'"), ("", "found none"), ("ˈ", "found none")])
def test_other_ipa_is_refused(ipa: str, found: str) -> None:
    """The error names the sound."""
    with pytest.raises(TextError, match=found):
        cmu_of_ipa(ipa)


def test_phones_are_spoken_in_place_of_the_text(nano_reader: Reader, bpe_reader: Reader) -> None:
    """As phonemes, or as the model's own markup; the words around them are read as ever."""
    read = nano_reader(Piece(f"The {CMU} server", closing="."))
    assert read.text.split()[1] == "sˈikwəl" and read.text.endswith(".") and not read.unspoken
    assert len(read.words) == 3
    released = bpe_reader(Piece(f"The {CMU} server"))
    assert released.text == "The [S][IY1][K][W][AH0][L] server"


def test_a_clause_that_ends_with_phones_is_closed(nano_reader: Reader, bpe_reader: Reader) -> None:
    """With the mark that is missing."""
    assert nano_reader(Piece(f"The {CMU}", closing=".")).text.endswith("sˈikwəl.")
    assert bpe_reader(Piece(f"The {CMU}", closing=",")).text == "The [S][IY1][K][W][AH0][L],"


def test_pinyin_is_spoken(nano_reader: Reader, bpe_reader: Reader) -> None:
    """In a Mandarin clause."""
    text = '我在<phoneme alphabet="pinyin" ph="chong2 qing4">重庆</phoneme>。'
    assert bpe_reader(Piece(text)).text == "我在[ch][óng][q][ìng]。"
    assert not nano_reader(Piece(text)).unspoken


@pytest.mark.parametrize(
    ("tag", "problem"),
    [
        ('<phoneme alphabet="klingon" ph="x">', "alphabet: expected cmu"),
        ('<phoneme alphabet="cmu" ph="QQ1">', "expected CMU phones"),
        ('<phoneme alphabet="pinyin" ph="x">', "expected pinyin"),
        ('<phoneme ph="ʁ">', "expected IPA of English sounds"),
        ("<phoneme>", "expected phones in ph, found none"),
    ],
)
def test_what_cannot_be_spoken_is_told_and_the_text_is_read(tag: str, problem: str, bpe_reader: Reader) -> None:
    """With the place of the tag."""
    reading = bpe_reader(Piece(f"Go {tag}there</phoneme> now"))
    assert reading.text == "Go there now"
    (told,) = reading.unspoken
    assert told.offset == 3 and told.text == f"{tag}there</phoneme>" and problem in told.reason


def test_an_element_is_not_cut() -> None:
    """Whatever the pieces in which it comes, and however long the clause is."""
    text = f"One two {CMU} three four. " * 5
    whole = run(spell, [text], 20, words=True)
    assert sum(s.text.count(CMU) for s in whole) == 5
    chance = random.Random(5)
    for _ in range(50):
        assert run(spell, chunks(text, chance), 20, words=True) == whole


def test_elements_have_their_places() -> None:
    """In the text as it is."""
    first, second = phoneme_elements(f"a {CMU} b {CMU}")
    assert (first.start, second.start, first.content) == (2, 5 + len(CMU), "SQL")
