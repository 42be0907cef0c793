"""Texts that are hard to say: what they are, and how each row is passed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from cosyvoice.models import NANO
from cosyvoice.nano.corpus.reserved import is_reserved
from cosyvoice.nano.corpus.voices import NAMED
from cosyvoice.nano.score import hard
from cosyvoice.nano.score.faults import FaultMeasures
from cosyvoice.nano.score.hard import KINDS, row, sentences
from cosyvoice.nano.score.judging import Heard, Sentence
from cosyvoice.nano.score.table import Scoring
from cosyvoice.nano.score.teacher import TeacherSpeech
from cosyvoice.nano.score.text_ids import TextIds
from tests.cosyvoice.nano.score.parts import babble

pytest.importorskip("jiwer")


def test_both_languages_have_texts_of_each_kind() -> None:
    """A long one has two hundred words, or three hundred characters; all but answers are kept from training."""
    for kind in KINDS:
        texts = sentences(kind)
        assert {sentence.language for sentence in texts} == {"en", "zh"}
        assert all(is_reserved(sentence.text) for sentence in texts) or kind == "answers"
    english, mandarin = sentences("long")
    assert 180 <= len(english.text.split()) <= 220 and 300 <= len(mandarin.text) <= 400


def test_a_row_tells_what_is_wrong() -> None:
    """Faults by name, and passes without."""
    found = FaultMeasures(seconds=1.9, text_ids=30, longest_silence_s=0.1, steady_s=0.1, end=0.0)
    good = row("numbers", "英文女", Heard("It is $5.", "itisfivedollars", 0, 15, 4.0, 1.9), found, 0.064)
    assert good.faults == () and "passes" in good.line() and "63 ms a text id" in good.line()
    bad = row("numbers", "英文女", Heard("It is $5.", "itis", 11, 15, 4.0, 1.9), found, 0.064)
    assert bad.faults == ("words",) and "FAILS words" in bad.line() and bad.error == pytest.approx(11 / 15)


def test_text_ids_are_the_model_s() -> None:
    """Numbers count as the words that are said."""
    ids = TextIds(NANO)
    assert ids.of(Sentence("Room 7.", "en")) == ids.of(Sentence("Room seven.", "en")) > 6


def test_what_was_spoken_before_is_only_measured(tmp_path: Path) -> None:
    """With all waves there no server is asked: a row for each text of the voice's language."""
    scoring = Scoring(tmp_path, NANO, "now", cast(Any, None), NAMED[:1], 5, TeacherSpeech(tmp_path))
    expected = 0
    for kind in KINDS:
        said = [sentence for sentence in sentences(kind) if sentence.language == "zh"]
        expected += len(said)
        for number, sentence in enumerate(said):
            right = Heard(sentence.text, "好", 0, 10, 4.0, 1.0)
            scoring.ours(f"hard-{kind}-{NAMED[0].name}").add(babble(1.0), right, number)
    rows = hard.table(scoring)
    assert len(rows) == expected and {one.voice for one in rows} == {"中文女"}
    assert {one.faults for one in rows if one.kind == "long"} == {("too short",)}
    assert {one.faults for one in rows if one.text == "好的。"} == {()}
