"""Recordings: bounds on what is read, checks, silence."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from cosyvoice.errors import VoiceError
from cosyvoice.voice.recording import (
    RecordingError,
    Wave,
    check_length,
    check_wave,
    cut_at_silences,
    read_pcm,
    read_wave,
    trailing_silence_s,
)


def tone(seconds: float, rate_hz: int = 16000, amplitude: float = 0.3) -> Wave:
    """A 220 Hz sine."""
    times = np.arange(round(seconds * rate_hz)) / rate_hz
    return (amplitude * np.sin(2 * np.pi * 220 * times)).astype(np.float32)


def encoded(wave: Wave, rate_hz: int, audio_format: str) -> bytes:
    """The bytes of an audio file."""
    buffer = io.BytesIO()
    soundfile.write(buffer, wave, rate_hz, format=audio_format)
    return buffer.getvalue()


@pytest.mark.parametrize("audio_format", ["WAV", "WAVEX", "FLAC", "MP3", "OGG"])
def test_read_formats(audio_format: str) -> None:
    """wav, flac, mp3 and ogg bytes give their samples and rate."""
    wave, rate_hz = read_wave(encoded(tone(1.0, 24000), 24000, audio_format))
    assert rate_hz == 24000
    assert wave.dtype == np.float32
    assert wave.ndim == 1
    assert len(wave) == pytest.approx(24000, abs=2400)  # mp3 pads
    assert float(np.sqrt((wave**2).mean())) == pytest.approx(0.3 / np.sqrt(2), rel=0.1)


def test_read_averages_channels(tmp_path: Path) -> None:
    """Channels are averaged to one."""
    path = tmp_path / "stereo.wav"
    soundfile.write(path, np.stack([tone(0.1), np.zeros(1600, np.float32)], axis=1), 16000, subtype="FLOAT")
    np.testing.assert_allclose(read_wave(path)[0], tone(0.1) / 2, atol=1e-7)


def test_read_empty() -> None:
    """A file without samples is an empty wave."""
    wave, _ = read_wave(encoded(tone(0.0), 16000, "WAV"))
    assert len(wave) == 0


def test_read_bounds_seconds() -> None:
    """A file longer than the bound is refused, one just as long is read."""
    data = encoded(tone(2.0), 16000, "FLAC")
    assert len(read_wave(data, max_s=2.0)[0]) == 32000
    with pytest.raises(VoiceError, match=r"expected at most 1\.9 s"):
        read_wave(data, max_s=1.9)


def test_read_bounds_bytes(tmp_path: Path) -> None:
    """A file or upload larger than the bound is refused."""
    data = encoded(tone(1.0), 16000, "WAV")
    path = tmp_path / "large.wav"
    path.write_bytes(data)
    for source in (data, path):
        assert len(read_wave(source, max_bytes=len(data))[0]) == 16000
        with pytest.raises(VoiceError, match="bytes"):
            read_wave(source, max_bytes=len(data) - 1)


@pytest.mark.parametrize("data", [b"", b"RIFF", b"not audio at all" * 100])
def test_read_refuses_other_bytes(data: bytes) -> None:
    """Bytes that are no audio are refused, and the message says what was expected."""
    with pytest.raises(VoiceError, match="expected wav, flac, mp3 or ogg audio, found"):
        read_wave(data)


def test_read_refuses_other_formats() -> None:
    """A format outside the list is refused even where the library could read it."""
    with pytest.raises(VoiceError, match="found AIFF"):
        read_wave(encoded(tone(0.1), 16000, "AIFF"))


def test_read_refuses_many_channels() -> None:
    """More channels than a microphone array has are refused."""
    with pytest.raises(VoiceError, match="found 9"):
        read_wave(encoded(np.zeros((100, 9), np.float32), 16000, "WAV"))


def test_read_missing_file(tmp_path: Path) -> None:
    """A missing file or a folder is refused by name."""
    with pytest.raises(VoiceError, match=r"none\.wav: expected an audio file, found No such file"):
        read_wave(tmp_path / "none.wav")
    with pytest.raises(VoiceError, match="found Is a directory"):
        read_wave(tmp_path)


def test_check_accepts_speech_level() -> None:
    """An audible wave of common rate and length passes."""
    for rate_hz in (16000, 22050, 24000, 32000, 44100, 48000, 96000, 192000):
        check_wave(tone(1.0, rate_hz), rate_hz, 0.5, 30.0)


@pytest.mark.parametrize(
    ("wave", "rate_hz", "message"),
    [
        (tone(1.0, 8000), 8000, "from 16000 to 192000 Hz, found 8000 Hz"),
        (tone(1.0, 44101), 44101, "common sample rate"),
        (tone(0.49), 16000, r"0\.5 to 30 s of audio, found 0\.49 s"),
        (tone(30.1), 16000, r"found 30\.10 s"),
        (np.full(16000, np.nan, np.float32), 16000, "NaN"),
        (np.full(16000, np.inf, np.float32), 16000, "infinity"),
        (np.zeros(16000, np.float32), 16000, "found silence"),
        (tone(1.0, amplitude=1e-4), 16000, "found silence"),
        (tone(1.0) * 32768, 16000, r"in \[-1, 1\], found a peak"),
        (np.stack([tone(1.0)] * 2), 16000, "one channel"),
    ],
)
def test_check_refuses(wave: Wave, rate_hz: int, message: str) -> None:
    """What cannot be a prompt is refused with what was expected and found."""
    with pytest.raises(VoiceError, match=message):
        check_wave(wave, rate_hz, 0.5, 30.0)


@pytest.mark.parametrize(("silence_s", "expected_s"), [(0.0, 0.0), (0.06, 0.06), (0.25, 0.24), (1.0, 1.0)])
def test_trailing_silence(silence_s: float, expected_s: float) -> None:
    """The silent end is measured in steps of 20 ms, whatever its faint noise."""
    noise = np.random.default_rng(0).normal(0, 3e-4, round(silence_s * 16000)).astype(np.float32)
    assert trailing_silence_s(np.concatenate([tone(0.5), noise]), 16000) == pytest.approx(expected_s)


def test_trailing_silence_of_silence() -> None:
    """A wave with nothing audible is silent as a whole."""
    assert trailing_silence_s(np.zeros(1600, np.float32), 16000) == pytest.approx(0.1)


def test_cut_keeps_short_waves_whole() -> None:
    """A wave within the limit is one piece."""
    wave = tone(30.0)
    assert [len(piece) for piece in cut_at_silences(wave, 16000, 30.0, 0.04)] == [len(wave)]


def test_cut_lies_in_the_silence() -> None:
    """The cut is made in the pause, not at the limit."""
    wave = tone(50.0)
    wave[20 * 16000 : round(20.6 * 16000)] = 0.0
    cut_s = len(cut_at_silences(wave, 16000, 30.0, 0.04)[0]) / 16000
    assert 20.05 <= cut_s <= 20.55


@settings(max_examples=40, deadline=None)
@given(samples=st.integers(1, 9000), seed=st.integers(0, 5))
def test_cut_pieces_join_to_the_wave(samples: int, seed: int) -> None:
    """Pieces join to the wave, none is over the limit, all but the last are whole tokens, the last is a second."""
    wave = np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)
    pieces = cut_at_silences(wave, 100, 30.0, 0.04)  # 100 Hz keeps the example small
    np.testing.assert_array_equal(np.concatenate(pieces), wave)
    assert all(len(piece) <= 3000 for piece in pieces)
    assert all(len(piece) % 4 == 0 for piece in pieces[:-1])
    if len(pieces) > 1:
        assert min(len(piece) for piece in pieces) >= 100


def test_samples_of_two_bytes_are_a_wave() -> None:
    """Little-endian 16-bit samples come out in [-1, 1); half a sample is refused."""
    wave = read_pcm(np.array([0, 16384, -32768, 32767], "<i2").tobytes())
    assert wave.dtype == np.float32 and wave.tolist() == [0.0, 0.5, -1.0, 32767 / 32768]
    assert len(read_pcm(b"")) == 0
    with pytest.raises(RecordingError, match="expected samples of 2 bytes, found 3 bytes"):
        read_pcm(b"abc")


@pytest.mark.parametrize(
    ("length_s", "rate_hz", "message"),
    [
        (1.0, 0, "from 16000 to 192000 Hz, found 0 Hz"),
        (1.0, 8000, "from 16000 to 192000 Hz, found 8000 Hz"),
        (1.0, 44101, "a common sample rate"),
        (0.4, 16000, r"0\.5 to 30 s of audio, found 0\.40 s"),
        (30.1, 16000, r"0\.5 to 30 s of audio, found 30\.10 s"),
    ],
)
def test_a_length_is_judged_without_samples(length_s: float, rate_hz: int, message: str) -> None:
    """Rate and length are refused as those of a wave are."""
    with pytest.raises(RecordingError, match=message):
        check_length(length_s, rate_hz, 0.5, 30.0)
    with pytest.raises(RecordingError, match=message):
        check_wave(np.full(round(length_s * rate_hz), 0.1, np.float32) if rate_hz else tone(1.0), rate_hz, 0.5, 30.0)


@pytest.mark.parametrize("rate_hz", [16000, 24000, 44100, 48000])
def test_common_lengths_are_fine(rate_hz: int) -> None:
    """Nothing is raised at either bound."""
    check_length(0.5, rate_hz, 0.5, 30.0)
    check_length(30.0, rate_hz, 0.5, 30.0)
