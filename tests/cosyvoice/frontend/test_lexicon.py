"""Pronunciation dictionaries: entries, matches, and what is read in place of a word."""

from __future__ import annotations

import random
from typing import Any

import pytest

from cosyvoice.errors import TextError
from cosyvoice.frontend.lexicon import Lexicon
from cosyvoice.frontend.lexicon_entry import LONGEST_WORD, LexiconEntry, entry_of
from cosyvoice.frontend.mandarin import cut_words
from cosyvoice.frontend.reader import Reader
from cosyvoice.frontend.text_stream import Piece, ReadSegment, TextStream


def lexicon(*entries: dict[str, Any], below: Lexicon | None = None) -> Lexicon:
    return Lexicon(map(entry_of, entries), below)


def said(text: str, *entries: dict[str, Any], language: str = "en") -> str:
    """The text with the replacement of each match; phones in angle brackets."""
    parts = lexicon(*entries).parts(text, language)
    return "".join(f"<{part.replacement}>" if isinstance(part, LexiconEntry) else part for part in parts)


SQL = {"word": "SQL", "say": "sequel"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Use SQL, or sql.", "Use sequel, or sequel."),
        ("SQL's MySQL SQLite SQL_1 SQL-like", "sequel's MySQL SQLite SQL_1 sequel-like"),
        ("用SQL查询", "用sequel查询"),
        ("SQL2 2SQL (SQL)", "SQL2 2SQL (sequel)"),
    ],
)
def test_a_word_is_found_between_word_boundaries(text: str, expected: str) -> None:
    """Not inside another word; Han characters are no part of a word."""
    assert said(text, SQL) == expected


def test_the_longest_entry_counts() -> None:
    """In phrases, and in Mandarin, which has no spaces."""
    york = [{"word": "New York", "say": "NY"}, {"word": "New York City", "say": "NYC"}, {"word": "York", "say": "Y"}]
    assert said("New York City, new\u00a0york, York, New Yorker", *york) == "NYC, NY, Y, New Yorker"
    han = [{"word": "重庆", "pinyin": "chong2 qing4"}, {"word": "重", "say": "众"}, {"word": "重庆大学", "say": "重大"}]
    assert said("在重庆大学和重庆，重", *han, language="zh") == "在重大和<chong2 qing4>，众"


def test_capitals_and_language_narrow_an_entry() -> None:
    """An entry that heeds them counts before one that does not."""
    it = {"word": "IT", "say": "I T", "case": True}
    assert said("It fixed IT.", it) == "It fixed I T."
    both = ({"word": "die", "say": "dee", "language": "de"}, {"word": "die", "say": "dye"})
    assert said("die", *both, language="de") == "dee"
    assert said("die", *both, language="en") == "dye"
    assert said("IT it", {"word": "it", "say": "low"}, it) == "I T low"


def test_a_lexicon_in_front_counts_first() -> None:
    """Of a request, before a voice's, before the server's. A longer word below still counts."""
    server = lexicon(SQL, {"word": "SQL Server", "say": "the server"}, {"word": "GIF", "say": "jif"})
    request = lexicon({"word": "sql", "say": "S Q L"}, below=server)
    assert request.parts("SQL, SQL Server, GIF", "en") == ["S Q L, the server, jif"]


def test_an_address_is_replaced_whole_or_not_at_all() -> None:
    """A word inside it would make it unreadable."""
    entries = ({"word": "nginx", "say": "engine x"}, {"word": "example.com", "say": "our site"})
    assert said("nginx: see nginx.org or example.com.", *entries) == "engine x: see nginx.org or our site."


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("SQL", "expected an object"),
        ({"word": "a"}, "expected one of say, cmu, pinyin, found none"),
        ({"word": "a", "say": "b", "cmu": "B"}, "found say and cmu"),
        ({"word": "a", "says": "b"}, "found 'says'"),
        ({"word": "a", "say": 3}, "say: expected text, found '3'"),
        ({"word": "a", "say": "b", "case": "yes"}, "case: expected true or false"),
        ({"word": "", "say": "b"}, "word: expected 1 to 64 characters, found 0"),
        ({"word": "a" * (LONGEST_WORD + 1), "say": "b"}, "found 65"),
        ({"word": "!?", "say": "b"}, "word: expected letters or digits"),
        ({"word": "a", "say": "…"}, "say: expected words"),
        ({"word": "a", "say": "b" * 201}, "say: expected at most 200 characters, found 201"),
        ({"word": "a", "cmu": "S IY1 QU"}, "cmu: expected CMU phones such as HH AH0 L OW1, found 'QU'"),
        ({"word": "a", "cmu": "S1"}, "found 'S1'"),
        ({"word": "重", "pinyin": "chong2 q"}, "pinyin: expected pinyin with tone numbers such as chong2 qing4, found"),
        ({"word": "a", "say": "b", "language": "xx"}, "language: expected one of"),
        ({"word": "a", "say": "b", "voice": "v" * 129}, "voice: expected at most 128"),
    ],
)
def test_a_wrong_entry_names_what_is_wrong(raw: object, message: str) -> None:
    """With what was expected and found."""
    with pytest.raises(TextError) as error:
        entry_of(raw)
    assert message in str(error.value)


def test_a_released_checkpoint_gets_phones_as_its_markup(bpe_reader: Reader) -> None:
    """CMU phones and pinyin become its tokens; words are read as if they were written."""
    entries = lexicon(SQL, {"word": "重庆", "pinyin": "chong2 qing4"}, {"word": "GIF", "cmu": "JH IH1 F"})
    assert bpe_reader(Piece("A GIF in SQL.", lexicon=entries)).text == "A [JH][IH1][F] in sequel."
    reading = bpe_reader(Piece("去重庆。", lexicon=entries))
    assert reading.text == "去[ch][óng][q][ìng]。"
    assert bpe_reader._tokenizer.special("[óng]") in reading.ids


def test_the_embedded_voice_gets_phones_as_phonemes(nano_reader: Reader) -> None:
    """Also at the end of a clause, and in the other language."""
    entries = lexicon({"word": "GIF", "cmu": "JH IH1 F"}, {"word": "重庆", "pinyin": "zhong4 qing4"})
    plain = nano_reader(Piece("A big one.")).text
    assert nano_reader(Piece("A big GIF.", lexicon=entries)).text == plain.rsplit(" ", 1)[0] + " ʤˈɪf."
    assert "ʈʂ" in nano_reader(Piece("去重庆。", lexicon=entries)).text.replace("ꭧ", "ʈʂ")


def test_pinyin_without_tokens_is_read_as_written(bpe_reader: Reader) -> None:
    """A released checkpoint has no token for some syllables, such as jia5."""
    entries = lexicon({"word": "家", "pinyin": "jia5"})
    assert bpe_reader(Piece("我家。", lexicon=entries)).text == "我家。"


def test_words_point_into_the_text_as_it_was_sent(nano_reader: Reader) -> None:
    """Each word of the text has its ids, also one that is spoken as several words."""
    entries = lexicon({"word": "k8s", "say": "kubernetes"}, {"word": "GIF", "cmu": "JH IH1 F"})
    reading = nano_reader(Piece("Use k8s or GIF now.", lexicon=entries))
    assert len(reading.words) == 5
    assert all(first < end for first, end in reading.words)


ENTRIES = (
    SQL,
    {"word": "Dr. Who", "say": "Doctor Who"},
    {"word": "New York City", "say": "the city"},
    {"word": "重庆大学", "pinyin": "chong2 qing4 da4 xue2"},
    {"word": "Yahoo!", "cmu": "Y AA1 HH UW0"},
    {"word": "C++", "say": "see plus plus"},
    {"word": "end of the world as we know it, he said", "say": "end"},
)
WORDS = (
    *("SQL", "Dr. Who", "New York", "New York City", "重庆", "重庆大学", "Yahoo!", "C++", "C", "Yahoo", "Dr.", "New"),
    *(" ", " ", " ", ", ", ". ", "\n", "、", "。", "<b>", "</b>", "12.5", "end of the world as we know", "it, he said"),
)


def segments(reader: Reader, pieces: list[str], entries: Lexicon, *, words: bool) -> list[ReadSegment]:
    stream = TextStream(reader, cut_words=cut_words, words=words, lexicon=entries)
    return [segment for piece in pieces for segment in stream.feed(piece)] + stream.end()


def test_entries_are_applied_whatever_the_pieces(bpe_reader: Reader) -> None:
    """The same segments one character at a time, in random pieces, and at once."""
    chance, entries = random.Random(5), lexicon(*ENTRIES)
    for _ in range(300):
        text = "".join(chance.choices(WORDS, k=chance.randrange(1, 16)))
        cuts = sorted(chance.randrange(len(text) + 1) for _ in range(chance.randrange(8)))
        pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)])]
        words = chance.random() < 0.7
        whole = segments(bpe_reader, [text], entries, words=words)
        assert segments(bpe_reader, pieces, entries, words=words) == whole, text
        assert segments(bpe_reader, list(text), entries, words=words) == whole, text


def test_a_phrase_that_comes_in_pieces_is_read_whole(bpe_reader: Reader) -> None:
    """Also where a clause or a group of words would end inside it."""
    entries = lexicon(*ENTRIES)
    for text in ("I saw Dr. Who in New York City today.", "We all agree on New York City now."):
        spoken = "".join(s.reading.text for s in segments(bpe_reader, list(text), entries, words=True))
        assert "the city" in spoken
        assert ("Doctor Who" in spoken) == ("Who" in text)


def test_no_more_is_held_back_than_the_longest_entry(bpe_reader: Reader) -> None:
    """A text that begins like an entry, and is none, comes out when it differs."""
    stream = TextStream(bpe_reader, words=True, lexicon=lexicon(*ENTRIES))
    assert [s.text for s in stream.feed("It is the end of the world as we know it, he sai")] == ["It is"]
    assert [s.text for s in stream.feed("led")][:2] == ["the end", "of the"]
