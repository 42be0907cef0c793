"""Scores: what has been heard is kept, a run goes on where it stopped, means come with their errors."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from cosyvoice.nano.corpus.reserved import reserved_sentences
from cosyvoice.nano.corpus.voices import NAMED
from cosyvoice.nano.score import stage
from cosyvoice.nano.score.speaking import tokens
from cosyvoice.nano.score.stage import Heard, Judged, Wave, judge_sentences, summary

WOMAN = next(voice for voice in NAMED if voice.name == "英文女")


def heard(edits: int, naturalness: float = 4.0, units: int = 10) -> Heard:
    return Heard("text", "heard", edits, units, naturalness, 1.0)


def test_a_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Sentences that were judged are not spoken again, and the order is that of the sentences."""
    spoken: list[str] = []

    def say(text: str, number: int) -> Wave:
        if len(spoken) == 3:
            raise RuntimeError("the server died")
        spoken.append(text)
        return np.full(2400, number / 100, np.float32)

    def judge(text: str, language: str, wave: Wave) -> Heard:
        assert language == "en"
        return Heard(text, "", 1, 2, 3.0, len(wave) / 24000)

    with pytest.raises(RuntimeError, match="the server died"):
        judge_sentences(Judged(tmp_path), WOMAN, 5, say, judge, "test")
    spoken[:] = spoken[:1]  # two more may be spoken
    judge_sentences(Judged(tmp_path), WOMAN, 5, say, judge, "test")
    assert [one.text for one in Judged(tmp_path).heard()] == reserved_sentences("english")[:5]
    assert len(list(tmp_path.glob("*.flac"))) == 5


def test_a_line_cut_off_by_a_crash_is_left_out(tmp_path: Path) -> None:
    """What was half written is judged again."""
    judged = Judged(tmp_path)
    judged.add(np.zeros(10, np.float32), heard(1), 0)
    with (tmp_path / "heard.jsonl").open("a") as index:
        index.write('{"text": "ha')
    assert Judged(tmp_path).heard() == [heard(1)]
    Judged(tmp_path).add(np.zeros(10, np.float32), heard(2), 1)
    assert Judged(tmp_path).heard() == [heard(1), heard(2)]


def test_the_error_rate_is_of_all_units_and_has_an_error() -> None:
    """Edits over units of all sentences, not the mean of rates; the same everywhere means no spread."""
    rows = [heard(0, 3.0, units=30), heard(3, 5.0, units=10)]
    whole = summary("英文女", "whole", rows)
    assert whole.error == pytest.approx(3 / 40) and whole.error_se > 0
    assert whole.naturalness == 4.0 and whole.naturalness_se == pytest.approx(1.0)
    assert summary("英文女", "whole", [heard(1)] * 5).error_se < 1e-9
    assert re.fullmatch(r"英文女 +whole +2 +error 0\.075 ± 0\.\d{3} +DistillMOS 4\.00 ± 1\.00", whole.line())


@pytest.mark.parametrize("text", ["Good morning, Anna.  How are you?", "您好，请问您要 Wi-Fi 吗？"])
def test_pieces_are_the_whole_text(text: str) -> None:
    """Text written in pieces is the text, in more than a few of them."""
    pieces = list(tokens(text))
    assert "".join(pieces) == text
    assert len(pieces) > 4
    assert stage.WAYS == ("whole", "pieces")
