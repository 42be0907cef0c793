"""Real files of every kind to waves, and what is refused instead."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from cosyvoice.voice.recording import Wave
from rtserver.uploads.decode import decode
from rtserver.uploads.errors import UploadError
from tests.rtserver.uploads.files import KINDS, PLAIN, RATE_HZ, film, packed, sound_file, sweep

# The largest difference of a sample: half a step of what is kept, or what rounding to float32 leaves.
STEP = {"wav-8": 2.0**-7, "wav-16": 2.0**-15, "flac-16": 2.0**-15}
LOSSLESS = {**dict.fromkeys(("wav-24", "wav-32", "wav-float", "flac-24", "m4a-alac"), 2.0**-22), **STEP}
# Samples that an encoder puts before the sound, where the file does not say how many.
LEAD = {"aac": 1024}
# At most one frame of AAC or 20 ms of Opus is added at the end.
TAIL = 1024


def refusal(data: bytes, max_s: float = 10.0) -> str:
    with pytest.raises(UploadError) as error:
        decode(data, max_s)
    assert error.value.code == "bad_audio"
    return str(error.value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_each_kind_gives_its_wave(kind: str) -> None:
    """Sample for sample where nothing is lost, as good as the same elsewhere, and where it was."""
    wave = sweep()
    found, rate_hz = decode(sound_file(kind, wave), 10.0)
    lead = LEAD.get(kind, 0)
    assert rate_hz == RATE_HZ
    assert found.dtype == np.float32 and found.ndim == 1
    assert 0 <= len(found) - lead - len(wave) <= TAIL
    found = found[lead:][: len(wave)]
    if kind in LOSSLESS:
        assert np.abs(found - wave).max() <= LOSSLESS[kind]
    else:
        likeness = np.dot(found, wave) / np.sqrt(np.dot(found, found) * np.dot(wave, wave))
        assert likeness > 0.994
        assert np.sqrt(np.mean(found**2)) == pytest.approx(np.sqrt(np.mean(wave**2)), rel=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_channels_are_averaged(kind: str) -> None:
    """Sound in one of two is half as loud."""
    wave = sweep()
    one, _ = decode(sound_file(kind, wave), 10.0)
    half, _ = decode(sound_file(kind, np.stack([wave, np.zeros_like(wave)], axis=1)), 10.0)
    assert np.sqrt(np.mean(half**2)) == pytest.approx(np.sqrt(np.mean(one**2)) / 2, rel=0.05)


@pytest.mark.parametrize("rate_hz", [16000, 24000, 44100])
@pytest.mark.parametrize("kind", ["wav-16", "flac-16", "mp3", "m4a-aac", "m4a-alac", "aac"])
def test_a_file_keeps_its_own_rate(kind: str, rate_hz: int) -> None:
    """Nothing is resampled."""
    found, found_hz = decode(sound_file(kind, sweep(0.3, rate_hz), rate_hz), 10.0)
    assert found_hz == rate_hz
    assert 0.29 < len(found) / rate_hz < 0.46


def test_sound_beside_pictures_is_taken_alone() -> None:
    """A film's sound is its first sound stream; the pictures are not decoded."""
    data = packed(sweep(), RATE_HZ, "mp4", "aac", pictures=5)
    assert b"mp4v" in data
    assert len(decode(data, 10.0)[0]) == pytest.approx(len(sweep()), abs=TAIL)


@pytest.mark.parametrize("kind", KINDS)
def test_seconds_are_bounded(kind: str) -> None:
    """A recording of the greatest length is taken, a longer one is not."""
    data = sound_file(kind, sweep(1.0))
    assert len(decode(data, 1.1)[0]) >= RATE_HZ
    assert refusal(data, 0.9) == "audio: expected at most 0.9 s of audio, found more"


@pytest.mark.parametrize(("kind", "seconds"), [("flac-16", 3600), ("m4a-aac", 200), ("webm-opus", 200)])
def test_long_silence_in_a_small_file_is_refused_for_its_length(kind: str, seconds: int) -> None:
    """What the bytes do not tell, the decoded seconds do."""
    data = sound_file(kind, np.zeros(seconds * 16000, np.float32), 16000)
    assert len(data) < 300_000
    assert refusal(data, 60.0) == "audio: expected at most 60 s of audio, found more"


def test_bytes_are_bounded() -> None:
    """Exactly."""
    data = sound_file("wav-16", sweep())
    assert len(decode(data, 10.0, len(data))[0]) == len(sweep())
    with pytest.raises(UploadError, match=f"expected at most {len(data) - 1} bytes, found {len(data)}"):
        decode(data, 10.0, len(data) - 1)


@pytest.mark.parametrize("rate_hz", [8000, 15999, 192001, 44101])
def test_rates_that_voices_are_not_made_of_are_refused(rate_hz: int) -> None:
    """Too low, too high, and odd ones that resampling cannot bear."""
    assert f"found {'1 at ' if rate_hz > 192000 else ''}{rate_hz} Hz" in refusal(
        sound_file("wav-16", sweep(0.1), rate_hz)
    )


def test_a_low_rate_in_a_container_is_refused_too() -> None:
    """The bounds are one for all kinds."""
    assert "from 16000 to 192000 Hz, found 8000 Hz" in refusal(sound_file("m4a-aac", sweep(0.3, 8000), 8000))


@pytest.mark.parametrize(("kind", "channels"), [("wav-16", 8), ("flac-16", 8), ("m4a-aac", 6), ("webm-opus", 6)])
def test_many_channels_are_taken(kind: str, channels: int) -> None:
    """All are averaged; the surround encoders leave some of the low channel out."""
    wave = np.repeat(sweep()[:, None], channels, axis=1)
    found, _ = decode(sound_file(kind, wave), 10.0)
    assert np.sqrt(np.mean(found**2)) == pytest.approx(np.sqrt(np.mean(wave**2)), rel=0.3)


@pytest.mark.parametrize(("kind", "channels", "most"), [("wav-16", 9, 8), ("webm-opus", 8, 7)])
def test_more_channels_are_refused(kind: str, channels: int, most: int) -> None:
    """The message tells both numbers."""
    data = sound_file(kind, np.repeat(sweep(0.1)[:, None], channels, axis=1))
    assert refusal(data) == f"audio: expected up to {most} channels at up to 192000 Hz, found {channels} at 48000 Hz"


@pytest.mark.parametrize("kind", KINDS)
def test_a_recording_of_nothing_is_refused(kind: str) -> None:
    """A file without samples has no sound; one of zeros is silent."""
    assert "found silence" in refusal(sound_file(kind, np.zeros(RATE_HZ, np.float32)))
    if kind in PLAIN and kind not in ("mp3", "ogg-opus"):
        assert refusal(sound_file(kind, np.zeros(0, np.float32))).startswith("audio: expected ")


@pytest.mark.parametrize(
    ("value", "found"), [(np.nan, "NaN or infinity"), (np.inf, "NaN or infinity"), (1e30, "a peak of 1e+30")]
)
def test_samples_that_are_no_sound_are_refused(value: float, found: str) -> None:
    """Infinities of both signs that meet when channels are averaged too."""
    wave = np.stack([sweep(), sweep()], axis=1)
    wave[100] = value, value
    assert found in refusal(sound_file("wav-float", wave))
    wave[100] = value, -value
    if value != 1e30:
        assert found in refusal(sound_file("wav-float", wave))


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "nothing"),
        (b"\0", r"begin with b'\x00'"),
        (b"\xff", r"begin with b'\xff'"),
        (b"<html>", "begin with b'<htm'"),
        (b"#EXTM3U\nhttp://localhost/a.ts", "begin with b'#EXT'"),
        (b"ffconcat version 1.0\nfile /etc/passwd", "begin with b'ffco'"),
        (b"v=0\r\nm=audio 5004 RTP/AVP 96", r"begin with b'v=0\r'"),
        (b"FORM\0\0\0\0AIFF", "begin with b'FORM'"),
        (b"RIFF", "wav, flac, mp3 or ogg audio"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "wav, flac, mp3 or ogg audio"),
        (b"RIFF\x24\0\0\0AVI LIST", "wav, flac, mp3 or ogg audio"),
        (b"fLaC", "wav, flac, mp3 or ogg audio"),
        (b"OggS" + bytes(100), "wav, flac, mp3 or ogg audio"),
        (b"ID3" + bytes(100), "wav, flac, mp3 or ogg audio"),
        (b"\xff\xfb" + bytes(100), "wav, flac, mp3 or ogg audio"),
        (b"\xff\xf1" + bytes(100), "no sound in the file"),
        (b"\0\0\0\x18ftypM4A " + bytes(12), "a damaged file"),
        (b"\x1aE\xdf\xa3" + bytes(100), "a damaged file"),
    ],
)
def test_what_is_no_sound_file_is_refused(data: bytes, found: str) -> None:
    """By how it begins, or by the decoder that it claims to be for. Playlists are nothing here."""
    message = refusal(data)
    assert message.startswith("audio: expected ")
    assert found in message


def test_a_film_without_sound_is_refused() -> None:
    """Its pictures are no reason to read it."""
    assert refusal(film(5)) == "audio: expected a recording, found a file without a sound stream"


@pytest.mark.parametrize(("muxer", "encoder"), [("mp4", "libmp3lame"), ("matroska", "pcm_s16le")])
def test_other_codecs_in_a_container_are_refused(muxer: str, encoder: str) -> None:
    """The list is short, because each is one more decoder for hostile bytes."""
    assert refusal(packed(sweep(), RATE_HZ, muxer, encoder)) == (
        "audio: expected sound as one of aac, alac, opus, vorbis, found another codec"
    )


def test_a_change_of_the_rate_amid_a_file_is_refused() -> None:
    """Two recordings joined at the seam are no one wave."""
    first, second = (sound_file("aac", sweep(0.3, rate), rate) for rate in (48000, 24000))
    assert "found a change" in refusal(first + second)


# Those that tell where they end or keep a table at the end are refused, and so is a frame cut in two. The others give
# what there is, as players do.
CUT_SHORT = {"wav-8", "wav-16", "wav-24", "wav-32", "wav-float", "mp3", "webm-opus"}


@pytest.mark.parametrize("kind", KINDS)
def test_half_a_file_gives_its_beginning_or_is_refused(kind: str) -> None:
    """By its kind; never noise, never more than there was."""
    data = sound_file(kind, sweep())
    half = data[: len(data) // 2]
    if kind not in CUT_SHORT:
        assert refusal(half).startswith("audio: expected ")
        return
    found, rate_hz = decode(half, 10.0)
    whole, _ = decode(data, 10.0)
    assert rate_hz == RATE_HZ
    assert 0.2 < len(found) / len(whole) < 0.55
    end = len(found) - 2048  # the last frame of a lossy codec is made of two
    assert np.abs(found[:end] - whole[:end]).max() < 0.01


@pytest.mark.command
def test_decoding_imports_no_torch() -> None:
    """Its process is small."""
    code = "import sys, rtserver.uploads.process; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.command
def test_the_front_imports_no_decoder() -> None:
    """Native code that reads hostile bytes stays in its own process, numpy's users too."""
    code = (
        "import sys, rtserver.uploads.folders, rtserver.uploads.source, rtserver.uploads.worker\n"
        "sys.exit(' '.join({'av', 'soundfile', 'numpy', 'torch'} & sys.modules.keys()) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_header_that_promises_hours_is_read_for_what_there_is() -> None:
    """The length comes from the samples, as in a stream whose header was written first."""
    wave = sweep()
    data = bytearray(sound_file("wav-16", wave))
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"
    found, _ = decode(bytes(data), 10.0)
    assert len(found) == len(wave)


def with_encoding(wave: Wave, subtype: str) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, wave, RATE_HZ, format="WAV", subtype=subtype)
    return buffer.getvalue()


@pytest.mark.parametrize("subtype", ["ULAW", "ALAW", "MS_ADPCM", "IMA_ADPCM", "DOUBLE"])
def test_a_wav_file_of_another_encoding_is_read(subtype: str) -> None:
    """What libsndfile knows within WAV is taken."""
    wave = sweep()
    found, _ = decode(with_encoding(wave, subtype), 10.0)
    assert np.sqrt(np.mean((found[: len(wave)] - wave) ** 2)) < 0.02
