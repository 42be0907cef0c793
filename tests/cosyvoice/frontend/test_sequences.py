"""Cutting long texts into talker sequences."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosyvoice.errors import TextError
from cosyvoice.frontend.boundary import Kind
from cosyvoice.frontend.sequences import plan_sequences
from cosyvoice.frontend.text_stream import Reading, Segment

SPACE = 0


def segment(kind: Kind, *ids: int, lead_ids: int = 0) -> Segment:
    """A segment with these ids."""
    return Segment(0, 1, "x", kind, Reading("x", ids, "en", lead_ids))


def lengths(segments: list[Segment], max_tokens: int) -> list[list[int]]:
    """How many ids each segment of each planned sequence has, at two tokens an id."""
    planned = plan_sequences(segments, tokens_per_text_id=2.0, max_tokens=max_tokens, word_initial={SPACE})
    return [[len(s.ids) for s in sequence] for sequence in planned]


def test_short_text_is_one_sequence() -> None:
    """What fits stays together."""
    assert lengths([segment("clause", 1, 1), segment("sentence", 1)], max_tokens=6) == [[2, 1]]
    assert lengths([], max_tokens=6) == []


def test_sequences_end_at_sentence_ends() -> None:
    """The last sentence end that fits is preferred to a later clause end."""
    text = [segment("sentence", 1, 1), segment("sentence", 1, 1), segment("clause", 1, 1), segment("sentence", 1, 1, 1)]
    assert lengths(text, max_tokens=14) == [[2, 2], [2, 3]]


def test_long_sentences_end_at_clauses() -> None:
    """A sentence that does not fit is cut after a clause."""
    text = [segment("clause", 1, 1), segment("clause", 1, 1), segment("clause", 1, 1), segment("sentence", 1, 1)]
    assert lengths(text, max_tokens=8) == [[2, 2], [2, 2]]


def test_long_clauses_end_at_words() -> None:
    """A clause that does not fit alone is cut before a word, and anywhere if its first word is too long."""
    (first,), (second,) = plan_sequences([segment("sentence", 1, 1, SPACE, 2, 2)], 2.0, 8, {SPACE})
    assert (first.ids, first.kind) == ((1, 1), "word")
    assert (second.ids, second.kind) == ((SPACE, 2, 2), "sentence")
    assert lengths([segment("sentence", *[1] * 7)], max_tokens=6) == [[3], [3], [1]]


def test_first_segment_loses_its_joining_ids() -> None:
    """A sequence does not begin with the space that joined its first segment to the one before."""
    text = [
        segment("sentence", 1, 1),
        segment("sentence", SPACE, 2, lead_ids=1),
        segment("sentence", SPACE, 3, lead_ids=1),
    ]
    planned = plan_sequences(text, 2.0, 8, {SPACE})
    assert [[s.ids for s in sequence] for sequence in planned] == [[(1, 1), (SPACE, 2)], [(3,)]]


def test_no_room_for_one_id_is_an_error() -> None:
    """A limit under one text id cannot be kept."""
    with pytest.raises(TextError, match="expected max_tokens of at least 2"):
        plan_sequences([segment("sentence", 1)], 2.0, 1)


@given(
    st.lists(st.tuples(st.sampled_from(["sentence", "clause", "word"]), st.integers(1, 12)), max_size=30),
    st.integers(2, 40),
)
def test_limits_are_kept_and_nothing_is_lost(parts: list[tuple[Kind, int]], max_tokens: int) -> None:
    """Every sequence fits, none is empty, and all ids come in order."""
    text = [segment(kind, *range(1, count + 1)) for kind, count in parts]
    planned = plan_sequences(text, 2.0, max_tokens, {SPACE})
    assert all(sequence and 2 * sum(len(s.ids) for s in sequence) <= max_tokens for sequence in planned)
    assert [i for sequence in planned for s in sequence for i in s.ids] == [i for s in text for i in s.ids]
