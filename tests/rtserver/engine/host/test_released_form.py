"""A directory of the released form, end to end: .pt weights, BPE, prompts encoded zero-shot, no serving.json."""

import wave
from pathlib import Path

import pytest

from bench.model.random_checkpoint import SMALL, write_checkpoint
from rtserver.commands.cli import main

pytestmark = pytest.mark.engine


def test_a_released_directory_speaks(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The shipped prompts are prepared with the directory's own networks; the talker's tokens become sound."""
    write_checkpoint(tmp_path / "model", SMALL)
    out = tmp_path / "out.wav"
    arguments = ["say", "Hello.", "--model", str(tmp_path / "model"), "--voice", "male", "-o", str(out)]
    assert main([*arguments, "--cache-dir", str(tmp_path / "cache")]) == 0, capfd.readouterr().err
    with wave.open(str(out)) as wav:
        assert 0.3 < wav.getnframes() / 24000 <= 20 * 7 / 25 + 0.1
