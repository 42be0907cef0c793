"""What has been heard is kept, a run goes on where it stopped, means come with their errors."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from cosyvoice.nano.score.judging import Heard, Judged, Sentence, Wave, judge_all
from cosyvoice.nano.score.named import row
from cosyvoice.nano.score.speaking import recording
from cosyvoice.nano.score.table import WAYS, kept
from cosyvoice.voice.recording import read_wave
from rtclient.pieces import llm_pieces
from tests.cosyvoice.nano.score.parts import babble, heard


def test_a_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Sentences that were judged are not spoken again, and the order is that of the sentences."""
    sentences = kept("en")[:5]
    spoken: list[str] = []

    def say(sentence: Sentence, number: int) -> Wave:
        if len(spoken) == 3:
            raise RuntimeError("the server died")
        spoken.append(sentence.text)
        return np.full(2400, number / 100, np.float32)

    def judge(sentence: Sentence, wave: Wave) -> Heard:
        return Heard(sentence.text, "", 1, 2, 3.0, len(wave) / 24000)

    with pytest.raises(RuntimeError, match="the server died"):
        judge_all(Judged(tmp_path), sentences, say, judge, "test")
    spoken[:] = spoken[:1]  # two more may be spoken
    found = judge_all(Judged(tmp_path), sentences, say, judge, "test")
    assert [one.text for one in found] == [sentence.text for sentence in sentences]
    assert found == Judged(tmp_path).heard() and len(list(tmp_path.glob("*.flac"))) == 5
    assert Judged(tmp_path).wave(4) == pytest.approx(np.full(2400, 0.04), abs=1e-4)
    assert judge_all(Judged(tmp_path), sentences[:2], say, judge, "test") == found[:2]


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
    whole = row("英文女", "whole", rows)
    assert whole.error == pytest.approx(3 / 40) and whole.error_se > 0
    assert whole.naturalness == 4.0 and whole.naturalness_se == pytest.approx(1.0)
    assert row("英文女", "whole", [heard(1)] * 5).error_se < 1e-9
    assert re.fullmatch(r"英文女 +whole +2 +error 0\.075 ± 0\.\d{3} +DistillMOS 4\.00 ± 1\.00", whole.line())


@pytest.mark.parametrize("text", ["Good morning, Anna.  How are you?", "您好，请问您要 Wi-Fi 吗？"])
def test_pieces_are_the_whole_text(text: str) -> None:
    """Text written in pieces is the text, in more than a few of them."""
    pieces = list(llm_pieces(text))
    assert "".join(pieces) == text
    assert len(pieces) > 4
    assert WAYS == ("whole", "pieces")


def test_a_recording_is_a_file_that_the_server_reads() -> None:
    """The samples come back, at their rate, as near as 16 bits are."""
    wave = babble(0.5)
    found, rate_hz = read_wave(recording(wave))
    assert rate_hz == 24000 and np.abs(found - wave).max() < 1e-4
