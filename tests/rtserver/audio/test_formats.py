"""Names, rates and media types of sound formats."""

from __future__ import annotations

import pytest

from rtserver.audio.formats import FORMATS, FormatError, SoundFormat, check_format

NATIVE = 24000


@pytest.mark.parametrize(
    ("name", "media_type", "extension"),
    [
        ("pcm_s16le", "audio/pcm", "pcm"),
        ("pcm_f32le", "audio/pcm", "f32"),
        ("opus", "audio/opus", "opus"),
        ("ogg_opus", "audio/ogg", "ogg"),
        ("wav", "audio/wav", "wav"),
        ("mp3", "audio/mpeg", "mp3"),
        ("aac", "audio/aac", "aac"),
        ("flac", "audio/flac", "flac"),
        ("ulaw", "audio/basic", "ulaw"),
        ("alaw", "audio/x-alaw-basic", "alaw"),
    ],
)
def test_each_format_has_a_media_type_and_an_extension(name: str, media_type: str, extension: str) -> None:
    """What HTTP and files call it."""
    sound = check_format(name, None, NATIVE)
    assert sound.name == name
    assert (sound.media_type, sound.extension) == (media_type, extension)


def test_the_list_of_formats_is_complete() -> None:
    """Ten formats, by the names that are not aliases, and each of them can be asked for."""
    names = ["aac", "alaw", "flac", "mp3", "ogg_opus", "opus", "pcm_f32le", "pcm_s16le", "ulaw", "wav"]
    assert sorted(FORMATS) == names
    assert [check_format(name, None, NATIVE).name for name in FORMATS] == list(FORMATS)


@pytest.mark.parametrize(
    ("alias", "name"),
    [("pcm", "pcm_s16le"), ("s16le", "pcm_s16le"), ("f32le", "pcm_f32le"), ("mulaw", "ulaw"), ("ogg", "ogg_opus")],
)
def test_an_alias_gives_the_format_itself(alias: str, name: str) -> None:
    """Two ways to ask for a format make equal formats, which carry its proper name."""
    assert check_format(alias, 8000, NATIVE) == SoundFormat(name, 8000) == check_format(name, 8000, NATIVE)


@pytest.mark.parametrize("name", ["", "PCM", "aiff", "wav ", "pcm_s16be"])
def test_an_unknown_name_is_refused(name: str) -> None:
    """The error names every format and what was asked for."""
    expected = "expected one of aac, alaw, flac, mp3, ogg_opus, opus, pcm_f32le, pcm_s16le, ulaw, wav"
    with pytest.raises(FormatError) as caught:
        check_format(name, None, NATIVE)
    assert str(caught.value) == f"format: {expected}, found {name!r}"


def test_a_long_name_is_not_repeated_in_full() -> None:
    """A client cannot fill the log or the answer with its own text."""
    with pytest.raises(FormatError) as caught:
        check_format("x" * 100_000, None, NATIVE)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("name", ["pcm_s16le", "pcm_f32le", "wav", "flac"])
@pytest.mark.parametrize("rate", [8000, 11025, 12345, 47999, 48000])
def test_uncompressed_sound_has_any_rate(name: str, rate: int) -> None:
    """From 8 to 48 kHz, both included, odd ones too."""
    assert check_format(name, rate, NATIVE) == SoundFormat(name, rate)


@pytest.mark.parametrize("name", ["pcm_s16le", "pcm_f32le", "wav", "flac"])
@pytest.mark.parametrize("rate", [-24000, 0, 1, 7999, 48001, 96000])
def test_a_rate_out_of_bounds_is_refused(name: str, rate: int) -> None:
    """The error says the bounds and the rate."""
    with pytest.raises(FormatError) as caught:
        check_format(name, rate, NATIVE)
    assert str(caught.value) == f"sample_rate: expected 8000 to 48000 for {name}, found {rate}"


@pytest.mark.parametrize(
    ("name", "rates"),
    [
        ("opus", "8000, 12000, 16000, 24000 or 48000"),
        ("ogg_opus", "8000, 12000, 16000, 24000 or 48000"),
        ("mp3", "8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100 or 48000"),
        ("aac", "8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100 or 48000"),
        ("ulaw", "8000"),
        ("alaw", "8000"),
    ],
)
def test_a_codec_has_its_own_rates_only(name: str, rates: str) -> None:
    """All of them are taken; any other is refused with the list."""
    for rate in map(int, rates.replace(" or", ",").split(", ")):
        assert check_format(name, rate, NATIVE).sample_rate == rate
    for rate in (7999, 20000, 96000):
        with pytest.raises(FormatError) as caught:
            check_format(name, rate, NATIVE)
        assert str(caught.value) == f"sample_rate: expected {rates} for {name}, found {rate}"


@pytest.mark.parametrize(
    ("name", "native", "rate"),
    [
        ("pcm_s16le", 24000, 24000),
        ("pcm_s16le", 22050, 22050),
        ("wav", 96000, 48000),
        ("flac", 6000, 8000),
        ("opus", 24000, 24000),
        ("opus", 22050, 24000),
        ("ogg_opus", 44100, 48000),
        ("mp3", 22050, 22050),
        ("mp3", 96000, 48000),
        ("ulaw", 24000, 8000),
        ("alaw", 24000, 8000),
    ],
)
def test_without_a_rate_as_little_is_lost_as_can_be(name: str, native: int, rate: int) -> None:
    """The model's own rate where the format has it, else the next higher, else its highest."""
    assert check_format(name, None, native).sample_rate == rate


def test_a_format_error_is_a_value_error() -> None:
    """Whoever checks values needs to know no more."""
    with pytest.raises(ValueError, match="found 'x'"):
        check_format("x", None, NATIVE)
