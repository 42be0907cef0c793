"""Which phonemes each word of a text is."""

from __future__ import annotations

import pytest

from cosyvoice.frontend.words import word_spans, words_of


def pairs(text: str, phonemes: str) -> list[tuple[str, str]]:
    """Each word with its phonemes."""
    words = [word[0] for word in words_of(text)]
    return [(word, phonemes[start:end]) for word, (start, end) in zip(words, word_spans(text, phonemes), strict=True)]


def test_words_are_paired_with_groups_in_order() -> None:
    """One group of phonemes a word; signs around it belong to none."""
    assert pairs('He said: "Now!"', "hi sˈɛd: “nˈW!”") == [("He", "hi"), ("said:", "sˈɛd"), ('"Now!"', "nˈW")]


def test_a_number_has_as_many_groups_as_it_takes() -> None:
    """The words around it keep theirs."""
    found = pairs(
        "In 1984, Mr. Smith paid $3.50.", "ɪn nˌIntˈin ˈATi fˈɔɹ, mˈɪstəɹ smˈɪθ pˈAd θɹˈi dˈɑləɹz ænd fˈɪfti."
    )
    assert dict(found) == {
        "In": "ɪn",
        "1984,": "nˌIntˈin ˈATi fˈɔɹ",
        "Mr.": "mˈɪstəɹ",
        "Smith": "smˈɪθ",
        "paid": "pˈAd",
        "$3.50.": "θɹˈi dˈɑləɹz ænd fˈɪfti",
    }


def test_a_sign_that_is_not_spoken_has_no_phonemes() -> None:
    """It stands where the next word begins, or at the end."""
    assert word_spans("a — b …", "A — bˈi …") == [(0, 1), (4, 4), (4, 7), (9, 9)]


def test_a_han_character_is_a_syllable() -> None:
    """Also where a word's syllables are written without a space between, with n and ŋ on the right side."""
    found = pairs("我们今天安全", "wo↓mən ʨi→ntʰjɛ→n a→nʨʰɥɛ↗n")
    assert [phonemes for _, phonemes in found] == ["wo↓", "mən", "ʨi→n", "tʰjɛ→n", "a→n", "ʨʰɥɛ↗n"]


def test_a_tag_is_no_word() -> None:
    """Words keep their places in the text as it was sent, and have no tag in them."""
    text = 'a <b class="x y">bold</b> word, 1 < 2'
    assert [(word[0], text[word.start() : word.end()]) for word in words_of(text)] == [
        (word, word) for word in ("a", "bold", "word,", "1", "<", "2")
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("See [the page](https://a.example/x?id=7) first.", ["See", "the", "page", "first."]),
        ("![A cat](cat.png) sleeps.", ["A", "cat", "sleeps."]),
        ("Tom&#39;s&nbsp;deli &amp; bar", ["Tom&#39;s", "deli", "&amp;", "bar"]),
        ("**Now** we [wait", ["**Now**", "we", "[wait"]),
    ],
)
def test_words_are_those_of_the_text_as_it_was_sent(text: str, words: list[str]) -> None:
    """The target of a link and a written space are none; an entity is a part of its word."""
    assert [text[word.start() : word.end()] for word in words_of(text)] == words == [word[0] for word in words_of(text)]


def test_an_address_has_the_words_of_its_signs() -> None:
    """And the words around it keep theirs. An entity counts as the character that it is."""
    phonemes = "ɡO tu dˈɑks dˈɑt ɪɡzˈæmpəl dˈɑt kˈɑm nˈW"
    assert pairs("Go to docs.example.com now", phonemes)[2:] == [
        ("docs.example.com", "dˈɑks dˈɑt ɪɡzˈæmpəl dˈɑt kˈɑm"), ("now", "nˈW"),
    ]  # fmt: skip
    assert pairs("Tom&#39;s&nbsp;deli &amp; bar", "tˈɑmz dˈɛli ænd bˈɑɹ") == [
        ("Tom&#39;s", "tˈɑmz"), ("deli", "dˈɛli"), ("&amp;", "ænd"), ("bar", "bˈɑɹ"),
    ]  # fmt: skip


def test_both_languages_in_one_text() -> None:
    """A Latin word has the English group, and the characters around it the syllables."""
    found = pairs("打开 Wi-Fi 然后，价格3.5元", "ta↓kʰai→ wˈIfˌI ɻa↗nxou↘, ʨja↘kɤ↗ sa→ntjɛ↓n u↓ɥɛ↗n")
    assert found == [
        ("打", "ta↓"),
        ("开", "kʰai→"),
        ("Wi-Fi", "wˈIfˌI"),
        ("然", "ɻa↗n"),
        ("后，", "xou↘"),
        ("价", "ʨja↘"),
        ("格", "kɤ↗"),
        ("3.5", "sa→ntjɛ↓n u↓"),
        ("元", "ɥɛ↗n"),
    ]


@pytest.mark.parametrize(
    ("text", "phonemes"),
    [("", ""), ("word", ""), ("", "wˈɜɹd"), ("²", "tˈu"), ("a b c", "A"), ("字", "ˈ ˌ"), ("1 2 3", "wˈʌn"), ("x", "…")],
)
def test_whatever_is_there_words_stay_in_order(text: str, phonemes: str) -> None:
    """As many spans as words, none beyond the phonemes, none before the one in front of it."""
    spans = word_spans(text, phonemes)
    assert len(spans) == len(list(words_of(text)))
    edges = [edge for span in spans for edge in span]
    assert edges == sorted(edges) and all(0 <= edge <= len(phonemes) for edge in edges)


def test_a_long_clause_is_paired_near_its_diagonal() -> None:
    """Each of very many words has its own phonemes."""
    text, phonemes = "one 2 three " * 60, "wˈʌn tˈu θɹˈi " * 60
    spans = word_spans(text, phonemes)
    assert [phonemes[start:end] for start, end in spans] == ["wˈʌn", "tˈu", "θɹˈi"] * 60
