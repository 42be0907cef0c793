"""WAV files."""

import wave
from pathlib import Path

import pytest

from rtserver.audio.wav import WavWriter, wav_header


def test_a_written_file_is_read_back(tmp_path: Path) -> None:
    """The standard library reads what was written, with its true length."""
    path = tmp_path / "x.wav"
    pcm = bytes(range(200)) * 3
    with WavWriter(str(path), 24000) as wav:
        wav.write(pcm[:100])
        wav.write(pcm[100:])
        assert wav.seconds == 300 / 24000
    with wave.open(str(path)) as read:
        assert read.getparams()[:4] == (1, 2, 24000, 300)
        assert read.readframes(1000) == pcm


def test_an_error_leaves_a_playable_file(tmp_path: Path) -> None:
    """What was written before an error has a true header."""
    path = tmp_path / "x.wav"
    wav = WavWriter(str(path), 24000)
    wav.write(b"\x01\x00" * 50)
    wav.__exit__(RuntimeError, RuntimeError(), None)
    with wave.open(str(path)) as read:
        assert read.getnframes() == 50


def test_a_stream_goes_to_standard_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """A stream's header says that the length is unknown, and samples follow."""
    with WavWriter("-", 24000) as wav:
        wav.write(b"\x01\x00")
    out = capfdbinary.readouterr().out
    assert out == wav_header(24000) + b"\x01\x00" and out[40:44] == b"\xff\xff\xff\xff"
