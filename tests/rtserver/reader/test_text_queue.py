"""Whose text is read next, and what is answered."""

from cosyvoice.errors import TextError
from cosyvoice.frontend.text_stream import Piece, Reading, TextStream
from cosyvoice.frontend.unspoken import unspoken_in
from rtserver.ipc.engine import Failed
from rtserver.ipc.reading import Boundary, Drop, OpenText, Read, Segment, Write
from rtserver.reader.text_queue import SLICE_CHARACTERS, TextQueue


def spell(piece: Piece) -> Reading:
    """One id a letter."""
    if "!" in piece.text:
        raise ZeroDivisionError("exclaimed")
    if "?" in piece.text:
        raise TextError("asked")
    return Reading(piece.text, tuple(map(ord, piece.text)), "en", int(piece.after_text))


def queue() -> TextQueue:
    return TextQueue(lambda request: TextStream(spell, words=request.words))


def work(one: TextQueue) -> list[Read | Failed]:
    answers = []
    while one.busy:
        answer = one.work()
        if answer is not None:
            answers.append(answer)
    return answers


def test_segments_come_before_the_mark_that_they_precede() -> None:
    """Each mark is answered once, behind all segments of the text before it, and counts."""
    one = queue()
    for message in (
        OpenText("a"),
        Write("a", "One, two"),
        Boundary("a", "flush"),
        Write("a", "three"),
        Boundary("a", "end"),
    ):
        one.take(message)
    answers = work(one)
    assert [(a.boundaries, [s.text for s in a.segments]) for a in answers if isinstance(a, Read)] == [
        (0, ["One,"]),
        (1, ["two"]),
        (2, ["three"]),
    ]
    assert [s.start for a in answers if isinstance(a, Read) for s in a.segments] == [0, 5, 8]
    one.take(Write("a", "late"))
    assert not one.busy  # the end forgets it


def test_a_long_text_delays_nobody() -> None:
    """Slices are read in turn: a short text is answered before a long one that came earlier."""
    one = queue()
    one.take(OpenText("long"))
    one.take(Write("long", "word, " * 2000))
    one.take(OpenText("short"))
    one.take(Write("short", "Hello there. "))
    names = [a.utterance for a in work(one)]
    assert names.index("short") <= 1
    assert names.count("long") >= 12_000 // SLICE_CHARACTERS


def test_a_turn_reads_few_clauses() -> None:
    """Text that becomes certain at once is read in several turns; others come between. A short text takes one turn."""
    one = queue()
    one.take(OpenText("held"))
    one.take(Write("held", "[" + "a link, or none, " * 4))
    while one.busy:
        assert one.work() is None  # it may still become a link
    one.take(Boundary("held", "end"))
    one.take(OpenText("short"))
    one.take(Write("short", "Hi. You. "))
    answers = [(a.utterance, [s.text for s in a.segments], a.boundaries) for a in work(one) if isinstance(a, Read)]
    assert answers == [
        ("held", ["[a link,", "or none,", "a link,", "or none,"], 0),
        ("short", ["Hi.", "You."], 0),
        ("held", ["a link,", "or none,", "a link,", "or none,"], 0),
        ("held", [], 1),
    ]


def test_an_offer_gives_some_words_together() -> None:
    """Two short words; one alone is held back."""
    one = queue()
    for message in (
        OpenText("a"),
        Write("a", "not ye"),
        Boundary("a", "offer"),
        Write("a", "t cert"),
        Boundary("a", "offer"),
    ):
        one.take(message)
    reads = [read for read in work(one) if isinstance(read, Read)]
    assert [[s.text for s in read.segments] for read in reads] == [[], []]
    for message in (Write("a", "ain yet"), Boundary("a", "offer")):
        one.take(message)
    assert [[s.text for s in read.segments] for read in work(one) if isinstance(read, Read)] == [["not yet certain"]]


def test_commit_answers_with_what_is_certain() -> None:
    """A commit cuts between words and counts as a mark, with nothing to give too."""
    one = queue()
    for message in (OpenText("a"), Write("a", "not yet cert"), Boundary("a", "commit"), Boundary("a", "commit")):
        one.take(message)
    segment = Segment([ord(c) for c in "not yet"], 0, False, 0, 7, "not yet", [], "not yet", "en")
    assert work(one) == [Read("a", [segment], 1), Read("a", [], 2)]


def test_left_out_characters_are_told_once() -> None:
    """With their places in all text of the utterance, also when a slice has nothing to speak."""

    def without_q(piece: Piece) -> Reading:
        left_out = unspoken_in(piece.text, ["q"])
        return Reading(piece.text, () if left_out else (1,), "en", unspoken=left_out)

    one = TextQueue(lambda request: TextStream(without_q))
    for message in (OpenText("a"), Write("a", "Yes. qq. "), Write("a", "q. No. "), Boundary("a", "end")):
        one.take(message)
    reads = [answer.unspoken for answer in work(one) if isinstance(answer, Read)]
    assert [place for read in reads for place in read] == [(5, "qq", ""), (9, "q", "")]


def test_a_text_that_cannot_be_read_fails_alone() -> None:
    """The failure names the utterance and the reason; others go on; later messages about it are nothing."""
    one = queue()
    for name, text in (("bug", "Oh! "), ("odd", "What? "), ("good", "Yes. ")):
        one.take(OpenText(name))
        one.take(Write(name, text + "More. "))
        one.take(Boundary(name, "end"))
    failed = {a.utterance: a for a in work(one) if isinstance(a, Failed)}
    assert failed["bug"].code == "internal" and "ZeroDivisionError: exclaimed" in failed["bug"].message
    assert failed["odd"] == Failed("odd", "bad_message", "asked")
    assert "good" not in failed


def test_what_is_dropped_or_unknown_is_not_read() -> None:
    """Messages about texts that are not open do nothing; nor does an empty write."""
    one = queue()
    one.take(Write("nobody", "x. "))
    one.take(OpenText("a"))
    one.take(Write("a", ""))
    assert not one.busy
    one.take(Write("a", "x. "))
    one.take(Drop("a"))
    one.take(Drop("a"))
    assert not one.busy
