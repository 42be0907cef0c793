"""Conversions: what is said again in which voice, and the rows of the table."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from cosyvoice.nano.corpus.voices import NAMED
from cosyvoice.nano.score import conversion
from cosyvoice.nano.score.conversion import SENTENCES, mean_voice, row, sources
from cosyvoice.nano.score.table import Scoring, kept
from cosyvoice.nano.score.teacher import TeacherSpeech
from tests.cosyvoice.nano.score.parts import babble, heard
from tests.cosyvoice.nano.score.test_likeness import needs_resemblyzer


def test_a_voice_says_again_what_the_others_say() -> None:
    """The same number of sentences of each other voice, in its language."""
    chosen = sources(NAMED[0], 3)
    assert [one.voice.name for one in chosen[::3]] == [voice.name for voice in NAMED[1:]]
    assert [one.sentence for one in chosen[3:6]] == kept(NAMED[2].language)[:3]
    assert [one.number for one in chosen] == [0, 1, 2] * 3


def test_a_row_compares_with_the_source() -> None:
    """Errors of both, mean cosines, and the part that is nearer to the voice than to the source."""
    one = row("英文女", "zh", [heard(1), heard(3)], [heard(0), heard(1)], [(0.9, 0.5), (0.5, 0.6)])
    assert [one.error, one.source_error] == pytest.approx([0.2, 0.05])
    assert [one.to_voice, one.to_source, one.moved] == pytest.approx([0.7, 0.55, 0.5])
    assert "英文女" in one.line() and "(source 0.050)" in one.line() and "moved 0.50" in one.line()


def test_the_middle_of_two_directions_is_a_direction() -> None:
    """Of length one, as far from both."""
    middle = mean_voice([np.array([1, 0], np.float32), np.array([0, 1], np.float32)])
    assert middle == pytest.approx(np.array([0.5, 0.5]) ** 0.5)


@needs_resemblyzer
def test_what_was_converted_before_is_only_compared(tmp_path: Path) -> None:
    """With all waves there no server is asked; a wave in the pitch of the voice has moved to it."""
    scoring = Scoring(tmp_path, tmp_path, "now", cast(Any, None), NAMED[:1], 1, TeacherSpeech(tmp_path))
    assert scoring.count < SENTENCES
    pitch_hz = dict(zip([voice.name for voice in NAMED], (250.0, 85.0, 100.0, 140.0)))
    for voice in NAMED:
        scoring.teachers(voice.name).add(babble(2.0, 1, pitch_hz[voice.name]), heard(0), 0)
    for number in range(3):
        scoring.ours(f"conversion-{NAMED[0].name}").add(babble(2.0, 2, 250.0), heard(number), number)
    english, mandarin = conversion.table(scoring)
    assert (english.source_language, english.sentences) == ("en", 2)
    assert (mandarin.source_language, mandarin.sentences) == ("zh", 1)
    assert english.moved == mandarin.moved == 1.0 and english.to_voice > english.to_source
    assert english.error == pytest.approx(0.15) and english.source_error == 0.0
