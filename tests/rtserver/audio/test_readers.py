"""What programs that are widely used read from each container, whole and as it was streamed."""

from __future__ import annotations

import io
import wave

import av
import numpy as np
import pytest
import soundfile

from rtserver.audio.encoder import encode_all, open_encoder
from rtserver.audio.formats import check_format

RATE_HZ = 24000
SAMPLES = 2 * RATE_HZ
PCM = (8000 * np.sin(2 * np.pi * 220 * np.arange(SAMPLES) / RATE_HZ)).astype("<i2").tobytes()
CONTAINERS = ("wav", "flac", "mp3", "ogg_opus", "aac")


class Pipe(io.RawIOBase):
    """A file that can only be read forward, as a download is."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)


def spoken(name: str, way: str, pcm: bytes = PCM) -> bytes:
    """A container, finished or as it comes in pieces of 100 ms."""
    sound = check_format(name, None, RATE_HZ)
    if way == "whole":
        return b"".join(encode_all(sound, RATE_HZ, pcm))
    encoder, pieces = open_encoder(sound, RATE_HZ), []
    for at in range(0, len(pcm), 4800):
        pieces += encoder.encode(pcm[at : at + 4800])
    return b"".join([*pieces, *encoder.finish()])


@pytest.mark.parametrize("way", ["whole", "streamed"])
@pytest.mark.parametrize("name", CONTAINERS)
def test_ffmpeg_reads_each_container_to_its_end(name: str, way: str) -> None:
    """From a file and from a pipe. Of a streamed FLAC it does not know how long it lasts, of all others in a file."""
    data = spoken(name, way)
    for file in (io.BytesIO(data), Pipe(data)):
        with av.open(file, "r") as container:
            duration_us = container.duration
            frames = list(container.decode(audio=0))
        seconds = sum(frame.samples for frame in frames) / frames[0].sample_rate
        assert seconds == pytest.approx(2.0, abs=0.07 if name in ("mp3", "aac") else 0.001)
        if isinstance(file, io.BytesIO):
            told = None if (name, way) == ("flac", "streamed") else pytest.approx(2_000_000, abs=70_000)
            assert duration_us == told


@pytest.mark.parametrize("way", ["whole", "streamed"])
@pytest.mark.parametrize("name", [name for name in CONTAINERS if name not in ("flac", "aac")])
def test_libsndfile_reads_each_container(name: str, way: str) -> None:
    """It finds the length of each, but of a streamed FLAC."""
    samples, rate_hz = soundfile.read(io.BytesIO(spoken(name, way)))
    assert len(samples) / rate_hz == pytest.approx(2.0, abs=0.07 if name in ("mp3", "aac") else 0.001)


def test_libsndfile_reads_a_finished_flac_but_needs_its_length() -> None:
    """FLAC's header says 0 for a length that is not known, which libsndfile takes for endless. So the file that
    `with_flac_length` completes is read, and the stream is not: FLAC has no other value for a reader that wants one."""
    samples, _ = soundfile.read(io.BytesIO(spoken("flac", "whole")), dtype="int16")
    assert samples.tobytes() == PCM
    with soundfile.SoundFile(io.BytesIO(spoken("flac", "streamed"))) as file:
        assert file.frames == 2**63 - 1


def test_the_wave_module_reads_both_wavs() -> None:
    """The header of a stream says the longest length that it can; reading stops at the end of the file."""
    for way, told in (("whole", SAMPLES), ("streamed", (2**32 - 1) // 2)):
        with wave.open(io.BytesIO(spoken("wav", way))) as file:
            assert file.getnframes() == told
            assert file.readframes(told) == PCM
