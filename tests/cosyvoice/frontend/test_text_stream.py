"""Text streams: clauses and ids do not depend on how the text arrives."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosyvoice.errors import TextError
from cosyvoice.frontend.boundary import LONGEST_ADDRESS, LONGEST_NUMBERS
from cosyvoice.frontend.language import main_language
from cosyvoice.frontend.mandarin import cut_words
from cosyvoice.frontend.plain import LONGEST_ATOM
from cosyvoice.frontend.reader import Reader
from cosyvoice.frontend.text_stream import MOST_HELD, Piece, Reading, ReadSegment, TextStream

ENGLISH = [
    "Hello there, how are you?",
    "Dr. Smith paid $1,250.50 on May 5, 2024.",
    "The value is 3.14, not 10,000!",
    "We met in the U.S. at 3:45 p.m. and left",
    "See https://example.com/a.b?x=1 now;",
    'He said: "Stop!" — and left...',
    "Call 555-1234, or 1-800-555-1234",
    "I'll have 2 cups (large), please",
    "50% of e.g. 1,000,000 people",
    "Sales rose 5.5% in 2024, the best since 1999.",
]
MANDARIN = [
    "今天是2024年5月1日，下午3:45。",
    "价格是¥1,250.50元！",
    "他说：“走吧。”然后就走了……",
    "我有3.5公斤苹果、香蕉和橘子；",
    "请拨打13800138000？",
    "收到好友从远方寄来的生日礼物，那份惊喜让我高兴",
    "温度-5℃，湿度50%。",
]
MIXED = [
    "我用 iPhone 15 Pro 拍照，",
    "打开 Wi-Fi 然后重启。",
    "OK，I see 10,000 people in 3号楼!",
    "版本v2.0.1 has 5 bugs. ",
    "[breath]好的🙂 fine <|endofprompt|>",
]


def texts(count: int) -> list[str]:
    """Random texts of one to four sentences in English, Mandarin, and both, with random digits in their numbers."""
    chance = random.Random(5)
    pools = [ENGLISH, MANDARIN, MIXED, ENGLISH + MANDARIN + MIXED]
    made = []
    for i in range(count):
        text = chance.choice(["", " ", "\n", "\n\n"]).join(
            chance.choices(pools[i % len(pools)], k=chance.randint(1, 4))
        )
        made.append(re.sub(r"[1-9]", lambda _: str(chance.randint(1, 9)), text) if i % 3 else text)
    return made


def chunks(text: str, chance: random.Random) -> list[str]:
    """`text` in random pieces, from single characters to half sentences."""
    pieces = []
    sizes = chance.choice([[1], [1, 2, 3], [1, 4, 9, 30]])
    while text:
        size = chance.choice(sizes)
        pieces.append(text[:size])
        text = text[size:]
    return pieces


def spell(piece: Piece) -> Reading:
    """A reading that shows everything a reader is told: one id a character, and the piece itself as text."""
    if not any(map(str.isalnum, piece.text)):
        return Reading("", (), piece.language_before)
    language = piece.language or main_language(piece.text, piece.language_before)
    unknown = tuple(c for c in piece.text if c == "q")
    return Reading(repr(piece), tuple(map(ord, piece.text)), language, int(piece.after_text), unknown)


def run(
    read: Callable[[Piece], Reading], pieces: list[str], max_width: int = 80, *, words: bool = False
) -> list[ReadSegment]:
    """All segments of a stream that is fed `pieces` and ended."""
    stream = TextStream(read, max_width=max_width, cut_words=cut_words, words=words)
    segments = [segment for piece in pieces for segment in stream.feed(piece)]
    return segments + stream.end()


@pytest.mark.model
@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize("kind", ["nano", "bpe"])
def test_ids_do_not_depend_on_chunking(nano_reader: Reader, bpe_reader: Reader, kind: str, words: bool) -> None:
    """200 texts in random chunks give the ids, and the segments, of the whole text; cut in clauses or in words."""
    read = cache(nano_reader if kind == "nano" else bpe_reader)
    chance = random.Random(7)
    for text in texts(200):
        whole = run(read, [text], words=words)
        ids = [i for segment in whole for i in segment.ids]
        assert ids
        for _ in range(3):
            streamed = run(read, chunks(text, chance), words=words)
            assert [i for segment in streamed for i in segment.ids] == ids
            assert streamed == whole


@given(
    st.lists(
        st.sampled_from([*'ab5中国.,!?，。：… \n"”)-$q', "Dr.", "3.14", "May 5, 2024", "我们", " word"]), max_size=60
    ),
    st.randoms(use_true_random=False),
    st.sampled_from([5, 12, 80]),
    st.booleans(),
)
def test_segments_do_not_depend_on_chunking(
    parts: list[str], chance: random.Random, max_width: int, words: bool
) -> None:
    """Neither do texts that consist of edge cases, nor does anything a reader is told."""
    text = "".join(parts)
    assert run(spell, chunks(text, chance), max_width, words=words) == run(spell, [text], max_width, words=words)


MARKUP_PARTS = (
    *"$<>[]()&;\\|*_. ,!aB5\n好",
    "[a &amp; b", "](u. v)", "](x)", "<b>", '<a b="c. d">', "<br>", "$x. y$", "$$", "\\(a. b\\)", "www.a.b", ".What",
    "?Yes", " word", "x@y.org", "&nbsp;",
)  # fmt: skip


@given(
    st.lists(
        st.sampled_from(MARKUP_PARTS),
        max_size=30,
    ),
    st.randoms(use_true_random=False),
    st.sampled_from([12, 80]),
    st.booleans(),
)
def test_markup_may_be_cut_anywhere(parts: list[str], chance: random.Random, max_width: int, words: bool) -> None:
    """Tags, links, formulas, entities and glued sentences that arrive in pieces give the same segments."""
    text = "".join(parts)
    assert run(spell, chunks(text, chance), max_width, words=words) == run(spell, [text], max_width, words=words)


HELD_PARTS = (
    "<a href=\"", "<break time=\"", "<prosody ", "[pause ", "[", "![a](", "](",
    "https://a.example/", "$x ", "\\(", "&#1",
    "1", "12, ", "3、", "x", "word ", "好", "e\u0301", "<sub alias=\"", "<phoneme ", "a" * 90,
    "7" * 90, " " * 50, "&amp;",
)  # fmt: skip


@given(st.lists(st.sampled_from(HELD_PARTS), max_size=40), st.booleans())
def test_few_characters_are_held_back(parts: list[str], words: bool) -> None:
    """However the text goes on, at most MOST_HELD characters wait until they are certain."""
    stream = TextStream(spell, cut_words=cut_words, words=words)
    for part in parts:
        stream.feed(part)
        assert stream.held < MOST_HELD


@pytest.mark.parametrize(
    ("text", "most"),
    [
        ("the cat sat on the mat and looked at a bird in the tree " * 4, 32),
        ("12, 13, " * 100, LONGEST_NUMBERS),
        ("a" * 500, LONGEST_NUMBERS),
        ("https://a.example/" + "x" * 500, LONGEST_ADDRESS),
        ("<break " + "a" * 500, LONGEST_ATOM + 2),
        ("[" + "a b " * 100, 90),
        ("今天天气很好我们一起去公园散步" * 10, 24),
    ],
)
def test_what_is_held_back_depends_on_the_text(text: str, most: int) -> None:
    """Words wait for the next one or two, numbers and addresses longer."""
    stream = TextStream(spell, cut_words=cut_words, words=True)
    held = []
    for character in text:
        stream.feed(character)
        held.append(stream.held)
    assert max(held) <= most


ATOMS = re.compile(
    r"\$?\d[\d,.:/-]*\d%?|https?:\S+\w|[A-Za-z']+"
    r"|Dr\. \w+|U\.S\.|p\.m\.|May \d+, \d+|\d+ \w+|\d+年\d+月\d+日|¥[\d.,]+元"
    r"|苹果|香蕉|生日|礼物|惊喜|好友"
)


@pytest.mark.parametrize("commit_every", [0, 1, 7])
def test_no_word_or_number_is_ever_split(commit_every: int) -> None:
    """Numbers, dates, money, addresses and words stay whole however hurried the cut, and with commits anywhere."""
    for text in texts(200):
        stream = TextStream(spell, cut_words=cut_words, words=True)
        segments = []
        for i, character in enumerate(text):
            segments += stream.feed(character)
            if commit_every and i % commit_every == 0:
                segments += stream.commit()
        segments += stream.end()
        for atom in ATOMS.finditer(text):
            for segment in segments:
                assert not atom.start() < segment.start < atom.end(), (atom.group(), segment.text)


def test_words_come_as_soon_as_they_are_certain() -> None:
    """A stretch of a few words is out when the next word begins; then stretches grow; Mandarin waits for its words."""
    stream = TextStream(spell, cut_words=cut_words, words=True)
    pieces = ["The ", "weather ", "will ", "stay ", "dry ", "until ", "Friday ", "evening ", "comes ", "and ", "goes."]
    came = [[s.text for s in stream.feed(piece)] for piece in pieces]
    assert came == [
        *([], ["The"], ["weather"], ["will"], ["stay"], ["dry"], [], ["until Friday"], [], ["evening comes"], [])
    ]
    han = TextStream(spell, cut_words=cut_words, words=True)
    assert [s.text for s in han.feed("今天天气很好我们一起去公园")] == ["今天天气很好我们"]


def test_commit_gives_what_is_certain() -> None:
    """Whole words come out, the one that may go on does not; nothing is lost or said twice."""
    stream = TextStream(spell, cut_words=cut_words)
    assert stream.feed("Nobody could tell me wh") == []
    assert [s.text for s in stream.commit()] == ["Nobody could tell me"]
    assert stream.commit() == []
    assert [(s.text, s.start) for s in stream.feed("y, ") + stream.feed("so")] == [("why,", 21)]
    assert stream.commit() == []
    assert [(s.text, s.start) for s in stream.end()] == [("so", 26)]
    number = TextStream(spell)
    assert [s.text for s in number.feed("It costs $1,250 ") + number.commit()] == ["It"]


@given(st.text(max_size=200))
def test_segments_tile_the_text(text: str) -> None:
    """Offsets point at the text sent; nothing but whitespace and silent clauses lies between segments."""
    end = 0
    for segment in run(spell, [text]):
        assert segment.start >= end
        assert text[segment.start : segment.end] == segment.text
        assert not any(map(str.isalnum, text[end : segment.start]))
        end = segment.end
    assert not any(map(str.isalnum, text[end:]))


def test_clauses_come_as_soon_as_they_are_certain() -> None:
    """A clause is out with the character after its mark; a sentence does not wait for the next one."""
    stream = TextStream(spell)
    assert stream.feed("Hello the") == []
    assert stream.feed("re,") == []
    (clause,) = stream.feed(" my fri")
    assert (clause.text, clause.kind, clause.ends_sentence) == ("Hello there,", "clause", False)
    (sentence,) = stream.feed("end. ")
    assert (sentence.text, sentence.start, sentence.end) == ("my friend.", 13, 23)
    assert sentence.ends_sentence
    assert stream.sent == 24


def test_flush_ends_a_sequence() -> None:
    """flush gives out the rest as a sentence; what follows joins nothing, and its offsets go on."""
    stream = TextStream(spell)
    (first,) = stream.feed("One") + stream.flush()
    assert first.ends_sentence
    assert "closing='.'" in first.reading.text
    (second,) = stream.feed(" two") + stream.flush()
    assert (second.start, second.end, second.reading.lead_ids) == (4, 7, 0)
    assert "spaced=False" in second.reading.text
    assert stream.flush() == []


def test_a_trailing_clause_is_closed_as_a_sentence() -> None:
    """A comma that turns out to be the last character ends the sentence."""
    (segment,) = run(spell, ["你好，"])
    assert segment.ends_sentence
    assert "closing='.'" in segment.reading.text


def test_text_after_the_end_is_an_error() -> None:
    """A stream that has ended takes no more text."""
    stream = TextStream(spell)
    stream.end()
    with pytest.raises(TextError, match="expected no text after the end of the stream, found 3 characters"):
        stream.feed("abc")


def test_pieces_know_their_surroundings() -> None:
    """A later clause is told of the text before it: that there is some, a space, and its language."""
    pieces: list[Piece] = []

    def read(piece: Piece) -> Reading:
        pieces.append(piece)
        return spell(piece)

    run(read, ["Hello, you. 号码：12345。好 ok, 5"])
    assert [(p.text, p.after_text, p.spaced, p.language_before) for p in pieces] == [
        ("Hello,", False, False, "en"),
        ("you.", True, True, "en"),
        ("号码：", True, False, "en"),
        ("12345。", True, False, "zh"),
        ("好 ok,", True, False, "zh"),
        ("5", True, True, "zh"),
    ]


def test_silent_clauses_are_left_out() -> None:
    """A clause without ids is no segment and does not count as text before."""
    assert run(spell, ["... 🙂 !"]) == []
    (segment,) = run(spell, ["!!! Hi."])
    assert segment.reading.lead_ids == 0


def test_unknown_characters_are_counted() -> None:
    """The stream adds up what its readings could not speak."""
    stream = TextStream(spell)
    stream.feed("quick, quite, no")
    stream.end()
    assert stream.unknown == {"q": 2}


def test_forced_language() -> None:
    """A given language holds for every clause."""
    stream = TextStream(spell, language="zh")
    segments = stream.feed("Hello, you. ") + stream.end()
    assert [segment.reading.language for segment in segments] == ["zh", "zh"]
