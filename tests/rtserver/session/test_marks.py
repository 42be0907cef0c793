"""When each word is heard."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rtserver.ipc.reading import Segment
from rtserver.session.marks import Marks, WordTime


def segment(text: str, ids: int, start: int = 0) -> Segment:
    return Segment([7] * ids, 0, False, start, start + len(text), text)


def test_words_are_cut_at_spaces_and_around_han_characters() -> None:
    """A Han character is a word, with the punctuation after it; offsets count in all text sent."""
    marks = Marks()
    marks.add([segment("Hello, 你好。Bob 3号", 12, start=100)])
    words = marks.audio(1000, 12)
    assert [(w.text, w.offset) for w in words] == [
        ("Hello,", 100),
        ("你", 107),
        ("好。", 108),
        ("Bob", 110),
        ("3", 114),
        ("号", 115),
    ]


def test_a_clause_is_shared_out_by_its_characters() -> None:
    """Ten ids over ten letters: a word of two gets a fifth of the time, one of eight the rest."""
    marks = Marks()
    marks.add([segment("ab cdefghij", 10)])
    assert marks.audio(1000, 10) == [WordTime("ab", 0, 0, 200), WordTime("cdefghij", 3, 200, 1000)]


def test_each_clause_has_its_own_ids() -> None:
    """A clause with more ids for as many letters takes longer."""
    marks = Marks()
    marks.add([segment("ab", 1), segment("cd", 3, start=3)])
    assert marks.audio(400, 4) == [WordTime("ab", 0, 0, 100), WordTime("cd", 3, 100, 400)]


def test_a_word_gets_its_time_with_the_sound_in_which_it_begins() -> None:
    """Its end is estimated from the pace of that sound; the next word waits for its own sound."""
    marks = Marks()
    marks.add([segment("abcd efgh", 8)])
    assert marks.audio(100, 1) == [WordTime("abcd", 0, 0, 400)]
    assert marks.audio(400, 4) == []
    assert marks.audio(600, 8) == [WordTime("efgh", 5, 400, 600)]


def test_a_pause_does_not_stretch_the_word_that_begins_at_its_end() -> None:
    """The rest of a word goes on at the mean pace, not at that of the pause: what follows is not put off."""
    marks = Marks()
    marks.add([segment("abcdefghij", 10)])
    marks.audio(1000, 10)
    marks.add([segment("next then", 8, start=11)])
    assert marks.audio(1400, 10.001) == [WordTime("next", 11, 1000, 1959)]
    assert marks.audio(2200, 18) == [WordTime("then", 16, 1959, 2200)]


def test_sound_without_words_moves_what_comes_later() -> None:
    """After a silence in which no id is spoken, the next word begins."""
    marks = Marks()
    marks.add([segment("ab", 2)])
    assert marks.audio(300, 0.0) == []
    assert marks.audio(500, 2) == [WordTime("ab", 0, 300, 500)]


def test_an_estimate_that_goes_back_is_no_progress() -> None:
    """What was spoken stays spoken; the next words follow from there."""
    marks = Marks()
    marks.add([segment("ab cd", 4)])
    assert marks.audio(200, 2) == [WordTime("ab", 0, 0, 200)]
    assert marks.audio(300, 1) == []
    assert marks.audio(500, 4) == [WordTime("cd", 3, 300, 500)]


def test_text_may_come_after_the_sound_before_it() -> None:
    """Words that are fed later are placed in later sound."""
    marks = Marks()
    marks.add([segment("ab", 2)])
    marks.audio(200, 2)
    marks.add([segment("cd", 2, start=3)])
    assert marks.audio(400, 4) == [WordTime("cd", 3, 200, 400)]


def test_words_that_never_began_end_with_the_sound() -> None:
    """At the end they are told all the same, once, without length."""
    marks = Marks()
    marks.add([segment("ab cd ef", 6)])
    marks.audio(250, 2)
    assert marks.finish() == [WordTime("cd", 3, 250, 250), WordTime("ef", 6, 250, 250)]
    assert marks.finish() == []


def test_a_clause_without_words_takes_time_and_gives_no_mark() -> None:
    """Its ids are spoken, and the next word comes after them."""
    marks = Marks()
    marks.add([segment(" ", 2), segment("ab", 2, start=1)])
    assert marks.audio(400, 4) == [WordTime("ab", 1, 200, 400)]


def test_the_text_up_to_a_place_in_the_sound() -> None:
    """It ends with the last word that begins before it: half heard counts as heard."""
    marks = Marks()
    assert marks.text_end_at(1000) == 0
    marks.add([segment("ab cd", 4, start=2)])
    marks.audio(400, 4)
    assert [marks.text_end_at(ms) for ms in (0, 1, 200, 201, 400, 9999)] == [0, 4, 4, 7, 7, 7]


WORDS = st.lists(st.sampled_from(["a", "word,", "好", "好。", "42", "…"]), max_size=5)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("text"), WORDS, st.integers(0, 12)),
        # Positions are shares of token counts: no finer than that.
        st.tuples(st.just("audio"), st.floats(0, 2000), st.floats(-3, 20).map(lambda ids: round(ids, 9))),
    ),
    max_size=20,
)


@settings(deadline=None)
@given(STEPS)
def test_every_word_is_marked_once_in_order(
    steps: list[tuple[str, list[str], int] | tuple[str, float, float]],
) -> None:
    """Whatever the pace, each word comes once, where it stands in the text; no time goes back, none overlaps."""
    marks, text, expected = Marks(), "", list[str]()
    times: list[WordTime] = []
    end_ms, position = 0.0, 0.0
    fed_ids = 0
    for _, what, amount in steps:
        if isinstance(what, list):
            clause = " ".join(what)
            marks.add([segment(clause, int(amount), len(text))])
            text, expected, fed_ids = text + clause + " ", expected + what, fed_ids + int(amount)
        else:
            end_ms, position = end_ms + what, min(position + amount, fed_ids)
            for time in marks.audio(end_ms, position):
                assert time.start_ms <= max([end_ms, *(t.end_ms for t in times[-1:])])
                times.append(time)
    times += marks.finish()
    assert [t.text for t in times] == expected
    assert [text[t.offset : t.offset + len(t.text)] for t in times] == expected
    edges = [edge for t in times for edge in (t.start_ms, t.end_ms)]
    assert edges == sorted(edges) and all(edge >= 0 for edge in edges)
    ends = [marks.text_end_at(ms) for ms in range(0, int(end_ms) + 100, 100)]
    assert ends == sorted(ends) and all(end <= len(text) for end in ends)


def test_a_clause_may_know_the_ids_of_its_words() -> None:
    """Then they are not shared out by characters; spans for other words than there are do not count."""
    marks = Marks()
    marks.add([Segment([7] * 10, 0, False, 0, 11, "ab cdefghij", [(0, 6), (7, 9)])])
    assert marks.audio(1000, 10) == [WordTime("ab", 0, 0, 600), WordTime("cdefghij", 3, 700, 900)]
    marks.add([Segment([7] * 10, 0, False, 12, 17, "ab cd", [(0, 6)])])
    assert marks.audio(2000, 20) == [WordTime("ab", 12, 1000, 1500), WordTime("cd", 15, 1500, 2000)]


def test_where_the_ids_beginnings_are_known_words_begin_with_them() -> None:
    """Nothing is estimated; of a word that goes on the rest is reckoned at twice the pace so far, not to put off what
    follows."""
    marks = Marks()
    marks.add([Segment([7] * 6, 0, True, 0, 6, "ab cd.", [(0, 2), (3, 5)])])
    assert marks.timed(0, [50, 90, 110], 120) == [WordTime("ab", 0, 50, 110, False)]
    assert marks.timed(3, [190], 200) == [WordTime("cd.", 3, 190, 240, False)]
    assert marks.timed(4, [250, 300], 400) == [] and marks.finish() == []


def test_beginnings_that_are_told_again_change_nothing() -> None:
    """The first time stands."""
    marks = Marks()
    marks.add([Segment([7] * 3, 0, True, 0, 5, "a b c", [(0, 1), (1, 2), (2, 3)])])
    assert marks.timed(0, [10, 20], 30) == [WordTime("a", 0, 10, 20, False), WordTime("b", 2, 20, 27, False)]
    assert marks.timed(0, [15, 25, 40], 50) == [WordTime("c", 4, 40, 48, False)]


def test_known_beginnings_are_shared_out_too_where_words_have_no_ids() -> None:
    """A word that begins inside an id begins inside its time."""
    marks = Marks()
    marks.add([segment("ab cd", 3)])
    assert marks.timed(0, [0, 100, 200], 300) == [WordTime("ab", 0, 0, 150, False), WordTime("cd", 3, 150, 250, False)]
