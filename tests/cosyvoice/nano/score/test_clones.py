"""Speakers in no training: who they are, what they say, and the rows of their table."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from cosyvoice.nano.corpus.voices import NAMED, brief_voices, style_mixture, unseen_voices
from cosyvoice.nano.score import clones
from cosyvoice.nano.score.clones import CROSS, LANGUAGES, Speaker, rows_of, said_by, unseen_speakers
from cosyvoice.nano.score.judging import Heard
from cosyvoice.nano.score.table import TEACHER, WAYS, Scoring, kept
from cosyvoice.nano.score.teacher import TeacherSpeech
from tests.cosyvoice.nano.score.parts import babble, heard
from tests.cosyvoice.nano.score.test_likeness import needs_resemblyzer


def test_unseen_speakers_are_in_no_corpus() -> None:
    """Twenty voices, none of them made as one that is learnt from is; half of them hold a voice that none of those
    holds."""
    learnt = [style_mixture(voice) for language in LANGUAGES for voice in brief_voices(language)]
    learnt += [style_mixture(voice.teacher) for voice in NAMED]
    used = {name for mixture in learnt for name in mixture}
    unseen = [style_mixture(voice) for language in LANGUAGES for voice in unseen_voices(language)]
    assert len(unseen) == 20 and all(mixture not in learnt for mixture in unseen)
    assert len({tuple(sorted(mixture.items())) for mixture in unseen}) == 20
    assert sum(bool(mixture.keys() - used) for mixture in unseen) == 10
    assert all(sum(mixture.values()) == pytest.approx(1.0) for mixture in unseen)


def test_nobody_says_what_a_prompt_says() -> None:
    """Prompts are two kept sentences each, all different, none of which any speaker is asked to say."""
    speakers = [one for language in LANGUAGES for one in unseen_speakers(language)]
    prompts = [speaker.prompt.text for speaker in speakers]
    assert len(set(prompts)) == 20
    for way in (TEACHER, *WAYS, CROSS):
        said = said_by(speakers, way)
        assert len(said) == 20 and len({sentence.text for sentence in said}) == 20
        assert not any(sentence.text in prompt for sentence in said for prompt in prompts)
        own = [sentence.language == speaker.prompt.language for sentence, speaker in zip(said, speakers)]
        assert all(own) if way != CROSS else not any(own)


def test_rows_are_of_each_language_and_of_all() -> None:
    """Of all there is no error rate: words and characters are not added up."""
    speakers = [Speaker("a", kept("en")[0]), Speaker("b", kept("en")[1]), Speaker("c", kept("zh")[0])]
    found = [(True, 0.9, 0.5), (False, 0.6, 0.7), (True, 0.8, 0.3)]
    english, mandarin, both = rows_of("whole", speakers, [heard(1), heard(2, 3.0), heard(5)], found)
    assert (english.speakers, english.sentences, english.known) == ("en", 2, 0.5)
    assert [english.own, english.other] == pytest.approx([0.75, 0.6])
    assert english.error == pytest.approx(0.15) and mandarin.error == 0.5
    assert both.error is None and both.known == pytest.approx(2 / 3) and both.sentences == 3
    assert both.naturalness == pytest.approx(11 / 3)
    assert "known 0.50 ± 0.50  own 0.750, best other 0.600" in english.line() and "error 0.150" in english.line()
    assert "error" not in both.line()


@needs_resemblyzer
def test_what_was_spoken_before_is_only_compared(tmp_path: Path) -> None:
    """With all waves there, neither server nor teacher is asked; a voice that speaks as its prompt is known."""
    scoring = Scoring(tmp_path, tmp_path, "now", cast(Any, None), NAMED, 5, TeacherSpeech(tmp_path))
    pitches = [90.0, 260.0]
    for way in ("prompts", TEACHER, *WAYS, CROSS):
        for number, pitch_hz in enumerate(pitches):
            judged = scoring.teachers("clones-prompts" if way == "prompts" else "clones")
            if way in (*WAYS, CROSS):
                judged = scoring.ours(f"clones-{way}")
                pitch_hz = pitches[1 - number] if way == CROSS else pitch_hz
            said = Heard("text", "heard", number, 10, 4.0, 2.0)
            judged.add(babble(2.0, number, pitch_hz), said, number)
    rows = {(row.way, row.speakers): row for row in clones.table(scoring, each=1)}
    assert len(rows) == 12
    assert rows["whole", "all"].known == rows[TEACHER, "all"].known == 1.0 and rows[CROSS, "all"].known == 0.0
    assert rows["whole", "en"].own > 0.99 and rows["whole", "zh"].error == 0.1
