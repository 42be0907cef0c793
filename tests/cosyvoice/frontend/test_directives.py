"""Silences and sentence ends that a text asks for."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosyvoice.frontend.directives import LONGEST_TAG, MOST_SILENCE_MS, Directive, Directives
from cosyvoice.frontend.mandarin import cut_words
from cosyvoice.frontend.reader import Reader
from cosyvoice.frontend.text_stream import Piece, Reading, ReadSegment, TextStream
from tests.cosyvoice.frontend.test_text_stream import chunks, run, spell

MARKED = [
    "<break/>", '<break time="500ms"/>', "<break time='1.25s' />", '<BREAK strength="x-strong"/>', "[pause]",
    "[pause 500ms]", "[Pause=1.5 s]", "[pause 30s]", "<p>", "</p>", "<s>", "</s>", "<br>", "<b>", "</b>", "<speak>",
    "[pau", "<brea", "<", "[", "a < b", "Hello there", "Stop.", "你好。", " ", ", ", "3.5", "[breath]", "x]",
    "[link](http://a.b/c)", "&lt;", "\n", '<prosody rate="80%">', "<prosody rate='fast' pitch='high'>", "</prosody>",
    '<lang xml:lang="zh-CN">', "<lang xml:lang='xx'>", "</lang>", "<prosod", "<emphasis>", "</emphasis>",
]  # fmt: skip


def directives(text: str) -> list[str | Directive]:
    found = Directives()
    return [*found.feed(text), found.flush()]


def silences(text: str) -> list[int]:
    return [segment.silence_ms for segment in run(spell, [text]) if segment.silence_ms]


@pytest.mark.parametrize(
    ("tag", "silence_ms"),
    [
        ("<break/>", 400),
        ("<break />", 400),
        ('<break time="500ms"/>', 500),
        ("<break time='1.2s'></break>", 1200),
        ("<break time=250ms>", 250),
        ('<break time="0.0005s"/>', 0),
        ('<break strength="x-weak"/>', 100),
        ('<break strength="weak"/>', 250),
        ('<break strength="strong"/>', 700),
        ('<break strength="x-strong"/>', 1000),
        ('<break strength="strong" time="1ms"/>', 1),
        ("[pause]", 400),
        ("[pause 500ms]", 500),
        ("[pause:1.5s]", 1500),
        ("[PAUSE=2 s]", 2000),
        ("[pause 10s]", MOST_SILENCE_MS),
    ],
)
def test_a_tag_gives_its_silence(tag: str, silence_ms: int) -> None:
    """Lengths and strengths, in any case and with any quotes; a length counts before a strength."""
    assert silences(f"One {tag} two.") == ([silence_ms] if silence_ms else [])


@pytest.mark.parametrize(
    ("tag", "silence_ms", "warning"),
    [
        ("[pause 11s]", 10_000, "at most 10 s"),
        ('<break time="11000ms"/>', 10_000, "at most 10 s"),
        ('<break time="soon"/>', 400, "expected a length such as 500ms or 1.2s, found soon"),
        ('<break strength="huge"/>', 400, "strength: expected one of none"),
    ],
)
def test_a_tag_that_is_not_obeyed_as_written_is_told(tag: str, silence_ms: int, warning: str) -> None:
    """It gets the silence that is possible, and a warning with its place."""
    stream = TextStream(spell)
    segments = stream.feed(f"One {tag} two.") + stream.end()
    (told,) = stream.unspoken
    assert (told.offset, told.text) == (4, tag) and warning in told.reason
    assert [s.silence_ms for s in segments if s.silence_ms] == [silence_ms]


@pytest.mark.parametrize("text", ["[paused]", "<breakfast>", "<pre>", "<span>", "[pause 5 minutes]", "a <p b"])
def test_other_text_passes_unchanged(text: str) -> None:
    """What only looks like one of these tags is left to the reader."""
    assert "".join(part for part in directives(text) if isinstance(part, str)) == text


def test_plain_text_is_not_held_back() -> None:
    """Every character passes at once, so speech does not begin later. Only the beginning of a tag waits."""
    found = Directives()
    for character in "Hello, it's 5 > 4 & (fine) {ok} 你好。\n":
        assert found.feed(character) == [character]
    for character in "a<b> [x] <div> <em>":
        found.feed(character)
    assert found.held == 0


def test_what_is_held_back_is_bounded() -> None:
    """A tag that does not end is text after some characters."""
    for begin in ("<break ", "</p ", "[pause 1", "<p/"):
        found = Directives()
        most = 0
        for character in begin + "1" * 300:
            found.feed(character)
            most = max(most, found.held)
        assert 0 < most <= LONGEST_TAG and found.held == 0


def test_silences_stand_where_the_tags_do() -> None:
    """Before, between and after words; two in a row stay two; the place of a tag and of the words around it is that in
    the text as it was sent."""
    text = "[pause 1s]One [pause 2s] <break time='3ms'/>two.[pause 4ms]"
    segments = run(spell, [text])
    assert [s.silence_ms or s.text for s in segments] == [1000, "One", 2000, 3, "two.", 4]
    assert [text[s.start : s.end] for s in segments if not s.silence_ms] == ["One", "two."]
    assert [text[s.start : s.end] for s in segments if s.silence_ms] == [
        "[pause 1s]", "[pause 2s]", "<break time='3ms'/>", "[pause 4ms]",
    ]  # fmt: skip


def test_speech_before_a_silence_ends_a_clause_or_a_sentence() -> None:
    """It gets the mark that is missing, and what follows begins anew."""
    before, _, after = run(spell, ["One <break/> two."])
    assert "closing=','" in before.reading.text and before.kind == "clause"
    assert "after_text=False" in after.reading.text and after.reading.lead_ids == 0


def test_paragraphs_and_sentences_end() -> None:
    """Both end a sentence. There is a silence between paragraphs, and none before the first or after the last."""
    segments = run(spell, ["<p>One</p> <p>Two</p>\n<s>Three</s><s>four</s>"])
    assert [s.silence_ms or s.text for s in segments] == ["One", 400, "Two", "Three", "four"]
    assert all(s.ends_sentence for s in segments)


def test_no_silence_breaks_no_text() -> None:
    """strength none has no effect: the clause goes on."""
    (segment,) = run(spell, ['I <break strength="none"/>see.'])
    assert segment.ends_sentence and not segment.silence_ms


def test_all_silence_of_a_text_is_bounded() -> None:
    """A short text cannot ask for hours. The tag at the limit is told."""
    stream = TextStream(spell)
    segments = stream.feed("[pause 10s]" * 70) + stream.end()
    assert sum(s.silence_ms for s in segments) == 600_000
    assert len(stream.unspoken) == 10 and "600 s" in stream.unspoken[0].reason


@given(st.lists(st.sampled_from(MARKED), max_size=25), st.randoms(use_true_random=False), st.booleans())
def test_segments_do_not_depend_on_chunking(parts: list[str], chance: random.Random, words: bool) -> None:
    """Tags cut anywhere give the same segments, silences, places and warnings."""
    text = "".join(parts)
    whole = run(spell, [text], words=words)
    assert run(spell, chunks(text, chance), words=words) == whole
    assert run(spell, list(text), words=words) == whole


def test_ids_do_not_depend_on_chunking(nano_reader: Reader, bpe_reader: Reader) -> None:
    """200 generated texts, read by both readers."""
    chance = random.Random(3)
    for reader in (nano_reader, bpe_reader):
        read = cache(reader)
        for _ in range(100):
            text = "".join(chance.choices(MARKED, k=12))
            assert run(read, chunks(text, chance)) == run(read, [text])


def plain(pieces: list[str], read: Callable[[Piece], Reading] = spell) -> list[ReadSegment]:
    """All segments of a stream for which nothing is markup."""
    stream = TextStream(read, cut_words=cut_words, markup=False)
    segments = [segment for piece in pieces for segment in stream.feed(piece)]
    return segments + stream.end()


@given(st.lists(st.sampled_from(MARKED), max_size=25), st.randoms(use_true_random=False))
def test_without_markup_everything_is_text(parts: list[str], chance: random.Random) -> None:
    """No silence, no tag that is kept whole; and the same segments for any chunking."""
    text = "".join(parts)
    whole = plain([text])
    assert not any(segment.silence_ms for segment in whole)
    assert all(text[s.start : s.end] == s.text for s in whole)
    assert plain(chunks(text, chance)) == whole


def test_without_markup_tags_and_brackets_are_read(nano_reader: Reader, bpe_reader: Reader) -> None:
    """As plain text is: nothing in them acts, and no id of the model's markup comes of them."""
    text = "<b>if a[i] [breath]</b> <|endofprompt|>"
    for reader in (nano_reader, bpe_reader):
        (segment,) = plain([text], reader)
        assert not set(segment.ids) & set(marks_of(reader))
    (said,) = plain([text], bpe_reader)
    assert "breath" in said.reading.text and "endofprompt" in said.reading.text


def marks_of(reader: Reader) -> list[int]:
    """The ids of the model's own markup."""
    found = [reader(Piece(text)) for text in ("[breath]", "[laughter]")]
    return [i for reading in found for i in reading.ids]


@pytest.mark.parametrize(
    ("rate", "factor"),
    [("80%", 0.8), ("1.2", 1.2), ("+20%", 1.2), ("-10%", 0.9), ("slow", 0.8), ("x-fast", 1.5), ("medium", 1.0)],
)
def test_a_span_has_a_rate_of_its_own(rate: str, factor: float) -> None:
    """From its tag to its closing tag. The text is cut there, as between two clauses."""
    segments = run(spell, [f"I say <prosody rate='{rate}'>this</prosody> too."])
    expected = [("I say", 1.0), ("this", factor), ("too.", 1.0)] if factor != 1.0 else None
    assert expected is None or [(s.text, s.rate) for s in segments] == expected
    assert all(s.rate == factor or factor != 1.0 for s in segments)


def test_spans_lie_in_each_other() -> None:
    """The innermost rate counts; after its end the one around it does. A closing tag without a span does nothing."""
    text = "</prosody>a <prosody rate='.9'>b <prosody rate='1.5'>c</prosody> d</prosody> e</prosody> f"
    segments = run(spell, [text])
    assert [(s.text[:1], s.rate) for s in segments if s.text[:1] != "<"][:3] == [("b", 0.9), ("c", 1.5), ("d", 0.9)]
    assert segments[-1].rate == 1.0


@pytest.mark.parametrize(
    ("tag", "rates", "warning"),
    [
        ("<prosody rate='soon'>", [1.0], "rate: expected a number"),
        ("<prosody rate='300%'>", [1.0, 2.0], "rate: expected 0.5 to 2.0, found 300%"),
        ("<prosody pitch='high' volume='loud'>", [1.0], "found pitch, volume: only the rate is heeded"),
        ("<lang xml:lang='xx-YY'>", [1.0], "expected one of zh, en"),
        ("<lang>", [1.0], "found none"),
    ],
)
def test_a_span_that_is_not_obeyed_is_told(tag: str, rates: list[float], warning: str) -> None:
    """The text in it is read as the text around it."""
    stream = TextStream(spell)
    segments = stream.feed(f"One {tag}two") + stream.end()
    (told,) = stream.unspoken
    assert (told.offset, told.text) == (4, tag) and warning in told.reason
    assert [s.rate for s in segments] == rates


def test_a_span_is_read_in_its_language() -> None:
    """The text after it is read as if it were not there. Speech goes on without a pause."""
    segments = run(spell, ['It is <lang xml:lang="zh-CN">12</lang> 3'])
    assert [(s.text, s.reading.language, s.kind) for s in segments] == [
        ("It is", "en", "word"),
        ("12", "zh", "word"),
        ("3", "en", "sentence"),
    ]
    assert ["spaced=True" in s.reading.text for s in segments] == [False, True, True]


def test_emphasis_is_the_model_s_own_if_it_has_that(nano_reader: Reader, bpe_reader: Reader) -> None:
    """Without it the tag has no effect, and nothing is told."""
    text = "<emphasis level='strong'>Now</emphasis>"
    assert bpe_reader(Piece(text)) == replace(bpe_reader(Piece("<strong>Now</strong>")), unspoken=())
    assert replace(nano_reader(Piece(text)), words=()) == replace(nano_reader(Piece("Now")), words=())
