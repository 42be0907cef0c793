"""From the model's samples to the bytes of every format."""

from __future__ import annotations

import io
import subprocess
import sys
import wave

import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from rtserver.audio.encoder import PIECE_BYTES, Encoder, encode_all, open_encoder
from rtserver.audio.formats import FORMATS, SoundFormat, check_format
from rtserver.audio.resampling import Resampler
from rtserver.audio.wav import wav_header
from tests.rtserver.audio.sound import Samples, decoded, decoded_packets, glide, in_cuts, pcm, samples_of, snr_db

NATIVE = 24000
# How near a format stays to the sound, with room for other builds of the codecs; a wrong rate, order of bytes or
# place has about 0 dB.
LEAST_SNR_DB = {"opus": 20, "ogg_opus": 20, "mp3": 45, "aac": 20, "ulaw": 35, "alaw": 35}
# What a decoder gives before the sound and may give after it, in samples of its own.
LEAD = {"opus": 312, "mp3": 1105, "aac": 1024}
TRAIL = {"opus": 959, "mp3": 2 * 1152 - 1, "aac": 1023}

EVERY_FORMAT = [
    check_format(name, rate, NATIVE)
    for name in FORMATS
    for rate in ([8000] if name in ("ulaw", "alaw") else [8000, 16000, 24000, 48000])
]


def items(encoder: Encoder, data: bytes, sizes: list[int] | None = None) -> list[bytes]:
    """All that an encoder gives."""
    return in_cuts(data, sizes or [], encoder.encode) + encoder.finish()


def whole(sound: SoundFormat, native: int, data: bytes) -> bytes:
    """A finished file."""
    return b"".join(encode_all(sound, native, data))


def heard(sound: SoundFormat, parts: list[bytes]) -> tuple[int, Samples]:
    """The rate and the samples that a decoder finds, from the sound's beginning on."""
    data = b"".join(parts)
    if sound.name == "opus":
        rate, samples = 48000, decoded_packets(parts)
    elif sound.name in ("ulaw", "alaw"):
        rate, samples = decoded(data, {"ulaw": "mulaw", "alaw": "alaw"}[sound.name], 8000)
    elif sound.name.startswith("pcm"):
        rate, samples = sound.sample_rate, samples_of(data, "<f4" if sound.name == "pcm_f32le" else "<i2")
    else:
        rate, samples = decoded(data)
    return rate, samples[LEAD.get(sound.name, 0) :]


@pytest.mark.parametrize("sound", EVERY_FORMAT, ids=str)
@pytest.mark.parametrize("native", [22050, 24000])
def test_a_decoder_gives_the_sound_back(sound: SoundFormat, native: int) -> None:
    """Every format at every rate, from either rate of the models: the right length, the right sound, its end too."""
    rate, found = heard(sound, items(open_encoder(sound, native), pcm(glide(native)), [1000, 1, 0, 7000]))
    reference = glide(rate)
    assert rate == (48000 if "opus" in sound.name else sound.sample_rate)
    assert 0 <= len(found) - len(reference) <= TRAIL.get(sound.name, 0)
    found = found[: len(reference)]
    least = LEAST_SNR_DB.get(sound.name, 60)
    assert snr_db(reference, found) > least
    assert snr_db(reference[-rate // 20 :], found[-rate // 20 :]) > least - 10


@settings(deadline=None, max_examples=60)
@given(
    sound=st.sampled_from(EVERY_FORMAT),
    samples=st.integers(0, 9000),
    sizes=st.lists(st.integers(0, 3000), max_size=8),
)
def test_any_cutting_gives_the_same_bytes(sound: SoundFormat, samples: int, sizes: list[int]) -> None:
    """Byte for byte in every format; packets and pages are the same ones."""
    data = pcm(glide(NATIVE)[:samples])
    cut, uncut = items(open_encoder(sound, NATIVE), data, sizes), items(open_encoder(sound, NATIVE), data)
    assert b"".join(cut) == b"".join(uncut)
    if sound.name == "opus":
        assert cut == uncut


@pytest.mark.parametrize("sound", EVERY_FORMAT, ids=str)
def test_a_finished_file_is_the_stream_but_for_lengths(sound: SoundFormat) -> None:
    """WAV and FLAC have theirs in the header; nothing else differs."""
    data = pcm(glide(NATIVE))
    stream, finished = b"".join(items(open_encoder(sound, NATIVE), data)), whole(sound, NATIVE, data)
    differing = {i for i in range(len(stream)) if stream[i] != finished[i]}
    assert len(finished) == len(stream)
    lengths = {"wav": {*range(4, 8), *range(40, 44)}, "flac": set(range(21, 26))}.get(sound.name, set())
    assert differing <= lengths and bool(differing) == bool(lengths)


@pytest.mark.parametrize("name", ["wav", "flac", "pcm_f32le"])
def test_a_long_file_is_coded_in_pieces(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between them the loop has its turn: no call gets all of the sound. The file is the same."""
    sizes: list[int] = []
    rests: list[None] = []
    feed = Resampler.feed

    def noted(resampler: Resampler, data: bytes) -> bytes:
        sizes.append(len(data))
        return feed(resampler, data)

    monkeypatch.setattr(Resampler, "feed", noted)
    monkeypatch.setattr("rtserver.audio.encoder.let_others_run", lambda: rests.append(None))
    sound, data = SoundFormat(name, NATIVE), pcm(glide(NATIVE, seconds=5.0))
    pieces = -(-len(data) // PIECE_BYTES)
    made = whole(sound, NATIVE, data)
    assert (len(sizes), max(sizes), len(rests)) == (pieces, PIECE_BYTES, pieces - 1)
    assert made[50:] == b"".join(items(open_encoder(sound, NATIVE), data))[50:]


@pytest.mark.parametrize("rate", [8000, 24000, 44100])
def test_a_finished_wav_carries_its_true_length(rate: int) -> None:
    """The standard library reads it, and it has exactly the samples that PCM has."""
    data = pcm(glide(NATIVE))
    samples = whole(SoundFormat("pcm_s16le", rate), NATIVE, data)
    with wave.open(io.BytesIO(whole(SoundFormat("wav", rate), NATIVE, data))) as read:
        assert read.getparams()[:4] == (1, 2, rate, len(glide(rate)))
        assert read.readframes(1 << 30) == samples


@pytest.mark.parametrize("name", ["wav", "flac", "ogg_opus"])
def test_another_decoder_reads_finished_files(name: str) -> None:
    """libsndfile finds the length to a sample."""
    read, rate = soundfile.read(io.BytesIO(whole(SoundFormat(name, 16000), NATIVE, pcm(glide(NATIVE)))))
    assert (rate, len(read)) == (16000, len(glide(16000)))


def test_pcm_at_the_models_rate_is_the_pcm() -> None:
    """Each piece as it is, at once."""
    encoder = open_encoder(SoundFormat("pcm_s16le", NATIVE), NATIVE)
    assert encoder.encode(b"\x01\x02\x03\x04") == [b"\x01\x02\x03\x04"]
    assert encoder.encode(b"") == [] and encoder.finish() == []


def test_a_wav_stream_begins_with_a_header_of_unknown_length() -> None:
    """It comes with the first call, alone if there is no sound yet, and once."""
    encoder = open_encoder(SoundFormat("wav", NATIVE), NATIVE)
    assert encoder.encode(b"") == [wav_header(NATIVE)]
    assert encoder.encode(b"\x01\x02") == [b"\x01\x02"] and encoder.finish() == []


@pytest.mark.parametrize("name", ["wav", "flac", "ogg_opus"])
def test_a_container_with_no_sound_is_a_file(name: str) -> None:
    """It can be opened, and has no samples."""
    assert len(decoded(whole(SoundFormat(name, NATIVE), NATIVE, b""))[1]) == 0


@pytest.mark.parametrize("name", ["pcm_s16le", "pcm_f32le", "opus", "ulaw", "alaw", "mp3"])
def test_no_sound_has_no_bytes(name: str) -> None:
    """Nothing is made up where there is no header to send."""
    assert items(open_encoder(check_format(name, None, NATIVE), NATIVE), b"") == []


@pytest.mark.parametrize("name", FORMATS)
def test_half_a_sample_is_refused(name: str) -> None:
    """In every format alike."""
    with pytest.raises(ValueError, match="expected whole 16-bit samples, found 5 bytes"):
        open_encoder(check_format(name, None, NATIVE), NATIVE).encode(b"abcde")


def test_an_ogg_stream_has_the_serial_number_given() -> None:
    """And the same one if none is, so that equal requests have equal bytes."""
    sound = SoundFormat("ogg_opus", NATIVE)
    assert open_encoder(sound, NATIVE, serial=0x01020304).encode(b"")[0][14:18] == b"\x04\x03\x02\x01"
    assert open_encoder(sound, NATIVE).encode(b"") == open_encoder(sound, NATIVE).encode(b"")


@pytest.mark.parametrize("name", FORMATS)
def test_streams_do_not_share_anything(name: str) -> None:
    """Two that run at the same time give what each gives alone."""
    sound = check_format(name, None, NATIVE)
    data, other = pcm(glide(NATIVE, 0.5)), pcm(-glide(NATIVE, 0.5)[::-1])
    one, two = open_encoder(sound, NATIVE), open_encoder(sound, NATIVE)
    pairs = [(one.encode(data[at : at + 4800]), two.encode(other[at : at + 4800])) for at in range(0, len(data), 4800)]
    ends = one.finish(), two.finish()
    assert b"".join(b"".join(a) for a, _ in [*pairs, ends]) == b"".join(items(open_encoder(sound, NATIVE), data))
    assert b"".join(b"".join(b) for _, b in [*pairs, ends]) == b"".join(items(open_encoder(sound, NATIVE), other))


@pytest.mark.command
def test_sound_needs_no_torch() -> None:
    """The front process encodes, and it has none."""
    code = "import sys, rtserver.audio.framed; print([m for m in ('torch', 'onnxruntime') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
