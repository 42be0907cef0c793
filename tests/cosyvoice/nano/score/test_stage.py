"""The tables' common file, sizes, samples, and the names that the command knows."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, cast

import soundfile

from cosyvoice.models import NANO
from cosyvoice.nano import __main__ as command
from cosyvoice.nano.corpus.voices import NAMED
from cosyvoice.nano.score import samples, size, stage
from cosyvoice.nano.score.named import row
from cosyvoice.nano.score.samples import SAMPLES, Sample
from cosyvoice.nano.score.table import Scoring
from cosyvoice.nano.score.teacher import TeacherSpeech
from tests.cosyvoice.nano.score.parts import babble, heard
from tests.cosyvoice.uncloning import without_speaker_encoder


def test_the_command_names_all_tables() -> None:
    """It lists them itself, so that its help needs no packages."""
    assert tuple(stage.TABLES) == command.TABLES


def test_a_table_replaces_itself_alone(tmp_path: Path) -> None:
    """The file of a label keeps the other tables, which may have been made on another day."""
    path = tmp_path / "score" / "now.json"
    one, other = row("英文女", "whole", [heard(1)] * 2), row("英文女", "whole", [heard(2)] * 2)
    stage.write(path, "now", "voices", [one])
    stage.write(path, "now", "hard", [one])
    stage.write(path, "now", "voices", [other])
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found.keys() == {"model", "voices", "hard"} and found["model"] == "now"
    assert (found["voices"][0]["error"], found["hard"][0]["error"]) == (0.2, 0.1)


def test_tables_that_a_model_cannot_do_are_left_out(tmp_path: Path) -> None:
    """Clones want a speaker network and the mode, conversions and styles the mode."""
    without_speaker_encoder(tmp_path / "model")
    serving = tmp_path / "model" / "serving.json"
    text = serving.read_text(encoding="utf-8")
    assert '"modes": [' in text

    def able(modes: str) -> list[str]:
        serving.write_text(re.sub(r'"modes": \[[^]]*\]', f'"modes": {modes}', text), encoding="utf-8")
        return [table for table in stage.TABLES if stage.can_be_made(table, tmp_path / "model")]

    assert able('["sft", "zero_shot", "vc"]') == ["size", "voices", "hard", "conversion"]
    (tmp_path / "model" / "campplus.onnx").write_bytes(b"a network")
    assert able('["sft", "vc"]') == ["size", "voices", "hard", "conversion"]
    assert able('["sft", "zero_shot"]') == ["size", "voices", "hard", "clones"]
    assert able('["sft", "instruct"]') == ["size", "voices", "hard", "styles"]


def test_the_embedded_weights_fit_the_repository(tmp_path: Path) -> None:
    """Bytes of all files; the speed is that of bench/load/offline.py, where it was measured."""
    scoring = Scoring(tmp_path, NANO, "now", cast(Any, None), NAMED, 5, TeacherSpeech(tmp_path))
    (unmeasured,) = size.table(scoring)
    files = [path for path in NANO.rglob("*") if path.is_file()]
    assert unmeasured.bytes == sum(path.stat().st_size for path in files) < 40e6
    assert unmeasured.audio_per_s is None and "not measured" in unmeasured.line()
    (tmp_path / "score" / "now").mkdir(parents=True)
    (tmp_path / "score" / "now" / "offline.json").write_text('{"server": {"audio_per_s": 4.25}}')
    assert "speed 4.2 s of sound a second" in size.table(scoring)[0].line()


def test_samples_are_small_files_with_a_readme(tmp_path: Path) -> None:
    """Ten of four voices in both languages, in order, each named in the README with its text."""
    spoken: list[Sample] = []

    def say(sample: Sample) -> Any:
        spoken.append(sample)
        return babble(1.0)

    samples.write(say, tmp_path, "nano")
    files = sorted(tmp_path.glob("*.opus"))
    assert spoken == list(SAMPLES) and len(files) == 10
    assert {sample.voice for sample in SAMPLES} == {voice.name for voice in NAMED}
    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    for sample, path in zip(SAMPLES, files):
        assert path.stat().st_size < 20_000 and abs(soundfile.info(path).duration - 1.0) < 0.02
        assert f"| [{path.name}]({path.name}) | {sample.voice} |" in readme and sample.text in readme
