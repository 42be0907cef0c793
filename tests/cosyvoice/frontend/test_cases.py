"""The tables of texts and the words that must be heard (cases/*.jsonl).

Each line has a kind, a language, a text, and regular expressions on the lower-cased words that a released checkpoint
gets: all of `must` match, none of `never` does. `unsolved` is true for a case that is still read wrong.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cosyvoice.frontend.mandarin import cut_words
from cosyvoice.frontend.reader import Reader
from cosyvoice.frontend.text_stream import Piece, Reading, ReadSegment, TextStream
from cosyvoice.frontend.words import words_of

TABLES = sorted((Path(__file__).parent / "cases").glob("*.jsonl"))
CASES: list[dict[str, Any]] = [json.loads(line) for table in TABLES for line in table.read_text("utf-8").splitlines()]


def segments(
    reader: Callable[[Piece], Reading], pieces: list[str], case: dict[str, Any], *, words: bool = False
) -> list[ReadSegment]:
    stream = TextStream(reader, default_language=case["language"], cut_words=cut_words, words=words)
    return [segment for piece in pieces for segment in stream.feed(piece)] + stream.end()


def spoken(read: list[ReadSegment]) -> str:
    """The words of all clauses, joined by a space."""
    return " ".join(" ".join(segment.reading.text for segment in read).split()).lower()


def faults(case: dict[str, Any], heard: str) -> list[str]:
    """What is missing, and what is heard that must not be."""
    missing = [pattern for pattern in case["must"] if not re.search(pattern, heard)]
    return missing + [f"not {pattern}" for pattern in case["never"] if re.search(pattern, heard)]


@pytest.mark.parametrize("kind", sorted({case["kind"] for case in CASES}))
def test_what_is_written_is_heard(bpe_reader: Reader, kind: str) -> None:
    """Each text is read with all that must be heard, and nothing that must not; `unsolved` ones are not yet."""
    wrong = {}
    for case in CASES:
        if case["kind"] == kind:
            heard = spoken(segments(bpe_reader, [case["text"]], case))
            if bool(found := faults(case, heard)) != case.get("unsolved", False):
                wrong[case["text"]] = (found or "is right now, but marked as unsolved", heard)
    assert not wrong


@pytest.mark.model
def test_ids_of_the_cases_do_not_depend_on_chunking(bpe_reader: Reader) -> None:
    """Each case, and mixtures of four of them, give the same segments one character at a time and in random pieces."""
    chance, read = random.Random(3), cache(bpe_reader)
    mixtures = [
        {"language": "en", "text": chance.choice(["", " ", "\n"]).join(c["text"] for c in chance.choices(CASES, k=4))}
        for _ in range(1000)
    ]
    for case in [*CASES, *mixtures]:
        text, words = case["text"], chance.random() < 0.5
        size = chance.choice([1, 2, 5, 17])
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        assert segments(read, pieces, case, words=words) == segments(read, [text], case, words=words), text


@pytest.mark.model
def test_words_point_into_the_text_as_it_was_sent(nano_reader: Reader) -> None:
    """Each word of each clause of each case, also in tags, links, entities and glued sentences; each has its ids."""
    for case in CASES:
        for segment in segments(nano_reader, [case["text"]], case, words=True):
            words = [(segment.start + word.start(), word[0]) for word in words_of(segment.text)]
            assert all(case["text"][start : start + len(word)] == word for start, word in words), case["text"]
            assert segment.silence_ms or len(segment.reading.words) == len(words), case["text"]


def test_nearly_all_of_each_table_and_kind_are_right() -> None:
    """At least 95 of 100 in each table. No kind has more than one case that is still read wrong."""
    for table in TABLES:
        cases = [json.loads(line) for line in table.read_text("utf-8").splitlines()]
        assert sum(not case.get("unsolved") for case in cases) >= 0.95 * len(cases), table.name
    unsolved = Counter(case["kind"] for case in CASES if case.get("unsolved"))
    assert all(count == 1 for count in unsolved.values()), unsolved


def test_the_embedded_voice_reads_the_words_of_a_released_checkpoint(bpe_reader: Reader, nano_reader: Reader) -> None:
    """The phonemes of each reported case are those of the words that a released checkpoint gets, but for signs."""
    reported = Path(__file__).parent / "cases" / "reported.jsonl"
    for case in map(json.loads, reported.read_text("utf-8").splitlines()):
        words = [segment.reading.text for segment in segments(bpe_reader, [case["text"]], case)]
        phonemes = " ".join(spoken(segments(nano_reader, [clause], case)) for clause in words)
        said = spoken(segments(nano_reader, [case["text"]], case))
        assert re.findall(r"\w+", said) == re.findall(r"\w+", phonemes), case["text"]


def test_phonemes_are_those_of_the_words(bpe_reader: Reader, nano_reader: Reader) -> None:
    """The embedded voice reads a text as it reads the words that a released checkpoint gets."""
    read = cache(nano_reader)
    for text in ("Your code is 4821.", "It costs $5, not £1.50.", "Dr. Lee lives on Baker St.", "3/14/2026"):
        assert read(Piece(text)).ids == read(Piece(bpe_reader(Piece(text)).text)).ids
