"""MP3, AAC and FLAC streams."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable

import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from rtserver.audio.pyav import (
    AAC_DELAY_SAMPLES,
    MP3_DELAY_SAMPLES,
    PyAvCodec,
    aac_codec,
    flac_codec,
    mp3_codec,
    with_flac_length,
)
from tests.rtserver.audio.sound import FULL_SCALE, decoded, glide, in_cuts, pcm, samples_of, snr_db

MP3_RATES = [8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000]
AAC_RATES = MP3_RATES
AAC_FRAME = 1024
FLAC_RATES = [8000, 12345, 16000, 22050, 24000, 47999, 48000]
# Of lower MPEG versions and of MPEG 1.
FRAME = {rate: 576 if rate < 32000 else 1152 for rate in MP3_RATES}


def coded(codec: PyAvCodec, data: bytes, sizes: list[int] | None = None) -> bytes:
    """A whole stream."""

    def take(piece: bytes) -> list[bytes]:
        return [piece.data for piece in codec.encode(piece)]

    return b"".join(in_cuts(data, sizes or [], take) + [piece.data for piece in codec.finish()])


@pytest.mark.parametrize("rate", MP3_RATES)
def test_mp3_gives_the_sound_back(rate: int) -> None:
    """Behind the silence that it begins with, to its end, and then at most two frames more."""
    found_rate, found = decoded(coded(mp3_codec(rate), pcm(glide(rate))))
    reference = glide(rate)
    found = found[MP3_DELAY_SAMPLES:]
    assert found_rate == rate
    assert 0 <= len(found) - len(reference) < 2 * FRAME[rate]
    found = found[: len(reference)]
    assert snr_db(reference, found) > 45
    assert snr_db(reference[-rate // 20 :], found[-rate // 20 :]) > 40


def test_another_decoder_reads_the_mp3() -> None:
    """libsndfile finds the same sound."""
    found, rate = soundfile.read(io.BytesIO(coded(mp3_codec(24000), pcm(glide(24000)))))
    reference = glide(24000)
    assert rate == 24000
    assert snr_db(reference, found[MP3_DELAY_SAMPLES:][: len(reference)] * FULL_SCALE) > 45


@pytest.mark.parametrize("rate", AAC_RATES)
def test_aac_gives_the_sound_back(rate: int) -> None:
    """After the silence that it begins with, to its end, and then at most two frames more."""
    found_rate, found = decoded(coded(aac_codec(rate), pcm(glide(rate))))
    reference = glide(rate)
    found = found[AAC_DELAY_SAMPLES:]
    assert found_rate == rate
    assert 0 <= len(found) - len(reference) < 2 * AAC_FRAME
    found = found[: len(reference)]
    assert snr_db(reference[: -rate // 20], found[: -rate // 20]) > 20
    assert snr_db(reference[-rate // 20 :], found[-rate // 20 :]) > 10


def test_each_aac_frame_says_how_long_it_is() -> None:
    """From one ADTS header to the next, to the end of the stream."""
    stream, at, frames = coded(aac_codec(24000), pcm(glide(24000))), 0, 0
    while at < len(stream):
        assert stream[at : at + 2] == b"\xff\xf1"
        at += int.from_bytes(stream[at + 3 : at + 6], "big") >> 5 & 0x1FFF
        frames += 1
    assert at == len(stream) and frames == -(-36000 // AAC_FRAME) + 1


@pytest.mark.parametrize("rate", FLAC_RATES)
def test_flac_gives_every_sample_back(rate: int) -> None:
    """Bit for bit, at any rate."""
    data = pcm(glide(rate))
    found_rate, found = decoded(coded(flac_codec(rate), data))
    assert found_rate == rate
    assert found.tolist() == samples_of(data).tolist()


@pytest.mark.parametrize("samples", [0, 1, 2303, 2304, 2305, 36000])
def test_a_finished_flac_says_its_length(samples: int) -> None:
    """A decoder that asks the header, and gives up without, reads all of it."""
    data = pcm(glide(24000)[:samples])
    finished = with_flac_length(coded(flac_codec(24000), data), samples)
    found, rate = soundfile.read(io.BytesIO(finished), dtype="int16") if samples else (samples_of(b""), 24000)
    assert rate == 24000
    assert found.astype("<i2").tobytes() == data
    assert decoded(finished)[1].tolist() == samples_of(data).tolist()


def test_a_flac_length_leaves_the_rest_of_the_header_alone() -> None:
    """Rate, channels and bits stand in the same bytes."""
    stream = coded(flac_codec(48000), pcm(glide(48000)))
    finished = with_flac_length(stream, (1 << 36) - 1)
    assert [i for i in range(len(stream)) if stream[i] != finished[i]] == [21, 22, 23, 24, 25]
    assert finished[21] == stream[21] | 0x0F and finished[22:26] == b"\xff\xff\xff\xff"
    assert with_flac_length(finished, 0) == stream


@pytest.mark.parametrize("make", [mp3_codec, aac_codec, flac_codec])
@settings(deadline=None, max_examples=15)
@given(samples=st.integers(0, 12000), sizes=st.lists(st.integers(0, 4000), max_size=10))
def test_any_cutting_gives_the_same_bytes(make: Callable[[int], PyAvCodec], samples: int, sizes: list[int]) -> None:
    """Byte for byte."""
    data = pcm(glide(24000)[:samples])
    assert coded(make(24000), data, sizes) == coded(make(24000), data)


@pytest.mark.parametrize(("make", "most_ms"), [(mp3_codec, 100), (aac_codec, 90), (flac_codec, 100)])
def test_bytes_come_as_the_sound_does(make: Callable[[int], PyAvCodec], most_ms: int) -> None:
    """What has come out lags what was fed by a few frames, at every moment."""
    codec = make(24000)
    data, out = pcm(glide(24000)), 0
    for ms in range(1, 1501):
        out += sum(piece.samples for piece in codec.encode(data[48 * (ms - 1) : 48 * ms]))
        assert ms - out / 24 <= most_ms


def test_the_flac_header_comes_first() -> None:
    """With the first call, also with no sound."""
    (header,) = flac_codec(24000).encode(b"")
    assert header.data[:4] == b"fLaC" and len(header.data) == 42 and header.samples == 0


def test_flac_pieces_tell_their_samples() -> None:
    """Together as many as were fed."""
    codec = flac_codec(24000)
    pieces = codec.encode(bytes(2 * 10_001)) + codec.finish()
    assert sum(piece.samples for piece in pieces) == 10_001


def test_mp3_has_a_constant_rate_of_64_kilobits() -> None:
    """So that a player can tell a position from a length."""
    stream = coded(mp3_codec(24000), pcm(glide(24000, 4.8)))
    assert len(stream) % 192 == 0 and len(stream) / 192 == pytest.approx(200, abs=5)


def test_a_stream_gives_its_thread_all_cpus_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs on one for its first frame, once."""
    chosen: list[set[int]] = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 2, 7})
    monkeypatch.setattr(os, "sched_setaffinity", lambda pid, cpus: chosen.append(set(cpus)))
    coded(mp3_codec(24000), pcm(glide(24000)), [500] * 20)
    assert chosen == [{2}, {2, 3, 7}]


def test_a_sandbox_that_pins_threads_does_not_stop_a_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the CPUs may not be chosen, the bytes are the same."""
    data = pcm(glide(24000))
    expected = coded(mp3_codec(24000), data)

    def refuse(pid: int, cpus: set[int]) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    assert coded(mp3_codec(24000), data) == expected


@pytest.mark.command
def test_open_streams_hold_no_threads() -> None:
    """However many there are, and however many CPUs."""
    code = (
        "import os; from rtserver.audio.pyav import *\n"
        "codecs = [make(24000) for make in (mp3_codec, aac_codec, flac_codec) for _ in range(4)]\n"
        "before = len(os.listdir('/proc/self/task'))\n"
        "for codec in codecs: codec.encode(bytes(48000))\n"
        "print(len(os.listdir('/proc/self/task')) - before)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "0\n"
